/* SPDX-License-Identifier: Apache-2.0 */
/* CSV: a text read in one block and in small blocks gives the same rows. First byte: delimiter and block size. */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/csvread.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t read_all(const char *text, size_t size, size_t block, char delimiter, char quote, enum status *ret)
{
    char *buffer = mem_alloc(size + CSVREAD_PAD);
    struct csvread r;
    struct rows rows = {0};
    uint64_t sum = 1469598103934665603u;
    size_t n = 0, at = 0;
    csvread_init(&r, delimiter, quote);
    *ret = STATUS_OK;
    for (bool last = false; !last && *ret == STATUS_OK;) {
        size_t more = MIN(block, size - at), used = 0;
        memcpy(buffer + n, text + at, more);
        at += more;
        n += more;
        last = at == size;
        rows_clear(&rows);
        *ret = csvread_block(&r, buffer, n, last, &rows, &used, NULL);
        if (*ret != STATUS_OK)
            break;
        for (size_t i = 0; i < rows.row_count; i++) {
            sum = (sum ^ rows.rows[i].line ^ rows.rows[i].count) * 1099511628211u;
            for (uint32_t k = 0; k < rows.rows[i].count; k++) {
                const struct cell *c = &rows.cells[rows.rows[i].first + k];
                for (uint32_t b = 0; b < c->n; b++)
                    sum = (sum ^ (unsigned char)c->p[b]) * 1099511628211u;
                sum = (sum ^ c->n ^ 0x10000) * 1099511628211u;
            }
        }
        n -= used;
        memmove(buffer, buffer + used, n);
    }
    rows_release(&rows);
    free(buffer);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536)
        return 0;
    char delimiter = ",;\t|"[data[0] & 3], quote = data[0] & 4 ? 0 : '"';
    size_t block = 1 + (data[0] >> 3);
    enum status whole, pieces;
    uint64_t a = read_all((const char *)data + 1, size - 1, size, delimiter, quote, &whole);
    uint64_t b = read_all((const char *)data + 1, size - 1, block, delimiter, quote, &pieces);
    if (whole != pieces || (whole == STATUS_OK && a != b))
        abort();
    return 0;
}
