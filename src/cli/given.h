/* SPDX-License-Identifier: Apache-2.0 */
/* given: a command line that was read by a table of options: what was given, in order, to be asked for by option. */
#ifndef VITRINE_CLI_GIVEN_H
#define VITRINE_CLI_GIVEN_H

#include "cli/command.h"

struct given_option {
    int id;
    str value[3]; /* of a PAIR two, of a TRIPLE three */
};

struct given {
    VEC(struct given_option) options;
    VEC(str) words; /* what is no option */
};

/* USAGE as option_next(). Texts are borrowed from argv. */
enum status given_read(struct arena *a, const struct option *options, size_t count, int argc, char **argv,
                       struct given *ret, struct err *err) MUST_USE;
bool given_has(const struct given *g, int id);
str given_text(const struct given *g, int id); /* the last one given; p == NULL = none */
/* Every value of an option that may be given again. */
str *given_list(struct arena *a, const struct given *g, int id, size_t *ret_count);

#endif
