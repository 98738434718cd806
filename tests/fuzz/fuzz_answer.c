/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as answers, one after another: however they are cut, the same is read. */
#include <stdlib.h>

#include "prove/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint64_t body, sum;
    int answers, last;
    enum status st;
};

static struct seen read_all(struct answer *a, str in, size_t step)
{
    struct seen s = {.st = STATUS_AGAIN};
    answer_begin(a);
    while (in.n) {
        size_t used;
        str piece;
        s.st = answer_read(a, str_sub(in, 0, step), &used, &piece, NULL);
        if (used > in.n || (s.st == STATUS_AGAIN && !used))
            abort();
        for (size_t i = 0; i < piece.n; i++)
            s.sum = s.sum * 31 + (unsigned char)piece.p[i];
        s.body += piece.n;
        s.last = a->status;
        in = str_from(in, used);
        if (s.st == STATUS_OK) {
            s.answers++;
            answer_begin(a);
        } else if (s.st != STATUS_AGAIN) {
            break;
        }
    }
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct answer a;
    str in = str_make((const char *)data, size);
    answer_init(&a);
    struct seen whole = read_all(&a, in, size), bytes = read_all(&a, in, 1);
    if (whole.answers != bytes.answers || whole.st != bytes.st)
        abort();
    if (whole.st != STATUS_PROTOCOL && (whole.body != bytes.body || whole.sum != bytes.sum))
        abort();
    answer_release(&a);
    return 0;
}
