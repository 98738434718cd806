/* SPDX-License-Identifier: Apache-2.0 */
/* certs_obtain: one certificate from an authority for a running edge. Blocks for minutes. */
#ifndef VITRINE_CLI_CERTS_OBTAIN_H
#define VITRINE_CLI_CERTS_OBTAIN_H

#include "cli/certs_options.h"

struct certs_job {
    struct arena *a;
    const struct certs_options *options;
    str state, name;
    enum acme_kind kind;
    bool ask_first; /* whether the name is one of ours */
};
/* The edge is told how it went, whatever is returned. */
enum status certs_obtain(const struct certs_job *j, struct err *err) MUST_USE;
/* Asks the authority when these are to be renewed, and tells the edge. */
enum status certs_look(struct certs_job *j, const str *names, size_t count, struct err *err) MUST_USE;

#endif
