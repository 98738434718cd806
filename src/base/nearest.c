/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include "base/macros.h"

#define NAME_BYTES 48 /* longer names are near nothing */

static unsigned distance(str a, str b)
{
    unsigned rows[3][NAME_BYTES + 1] = {{0}};
    if (a.n > NAME_BYTES || b.n > NAME_BYTES)
        return NAME_BYTES;
    for (size_t j = 0; j <= b.n; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.n; i++) {
        unsigned *now = rows[i % 3], *up = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            unsigned d = up[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            d = MIN(d, up[j] + 1);
            d = MIN(d, now[j - 1] + 1);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                d = MIN(d, before[j - 2] + 1);
            now[j] = d;
        }
    }
    return rows[a.n % 3][b.n];
}

struct nearest nearest_to(str wanted)
{
    return (struct nearest){.wanted = wanted, .distance = wanted.n <= 4 ? 2 : 4};
}

void nearest_consider(struct nearest *n, const char *name)
{
    unsigned d = distance(n->wanted, str_of(name));
    if (d < n->distance) {
        n->distance = d;
        n->best = name;
    }
}
