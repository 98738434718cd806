/* SPDX-License-Identifier: Apache-2.0 */
/* serve_options: what `vitrine serve` was told, by its options and the environment. */
#ifndef VITRINE_CLI_SERVE_OPTIONS_H
#define VITRINE_CLI_SERVE_OPTIONS_H

#include "base/log.h"
#include "cli/get.h"
#include "site/live.h"

struct serve_options {
    struct arena *arena;
    struct site_options site;
    VEC(str) files;
    VEC(bool) immutable; /* beside `files` */
    VEC(struct value_entry) settings;
    VEC(str) statics;
    VEC(str) extensions;
    str host, uds, cert, key, keep, space;
    int64_t port, drain_s, grace_s, upgrade_timeout_s, upgrade_grace_s;
    bool open_browser, access_log, note_plugins, note_pdb;
    struct get get; /* path empty = serve */
    enum log_level log_level;
    enum log_format log_format;
};

/* The environment, then the command line, which wins. *ret_exit: set when help was asked for and printed. USAGE;
 * NOT_FOUND: --space is no space. Texts are borrowed from argv and the environment. */
enum status serve_options_read(struct serve_options *s, struct arena *a, int argc, char **argv, int *ret_exit,
                               struct err *err) MUST_USE;
void serve_options_add_file(struct serve_options *s, str path, bool immutable);

#endif
