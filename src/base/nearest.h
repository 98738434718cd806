/* SPDX-License-Identifier: Apache-2.0 */
/* nearest: the known name that somebody probably meant. Pure. */
#ifndef VITRINE_BASE_NEAREST_H
#define VITRINE_BASE_NEAREST_H

#include "base/str.h"

struct nearest {
    str wanted;
    const char *best; /* of those considered; NULL = none is near */
    unsigned distance;
};

struct nearest nearest_to(str wanted);
/* name is kept when it is nearer than all before: at most 3 letters away, 1 for names of up to 4 letters. A letter
 * added, left out, changed, or two neighbours swapped count one each. */
void nearest_consider(struct nearest *n, const char *name);

#endif
