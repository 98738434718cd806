/* SPDX-License-Identifier: Apache-2.0 */
/* A script is cut the same way whether it comes whole or in pieces, and nothing of it is lost. The first byte is the
 * length of the pieces. */
#include <stdlib.h>

#include "ingest/sql_split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The length of the first statement; 0 = there is none. */
static size_t whole(str text)
{
    struct sql_split s = {0};
    size_t n = 0;
    if (text.n && (!sql_split(&s, text, true, &n) || n == 0 || n > text.n))
        abort();
    return n;
}

static size_t in_pieces(str text, size_t piece)
{
    struct sql_split s = {0};
    size_t n = 0;
    for (size_t shown = MIN(piece, text.n);; shown = MIN(shown + piece, text.n)) {
        bool ended = shown == text.n;
        if (sql_split(&s, str_sub(text, 0, shown), ended, &n))
            return n;
        if (ended)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 4096)
        return 0;
    str text = str_make((const char *)data + 1, size - 1);
    for (size_t n; text.n; text = str_from(text, n)) {
        n = whole(text);
        if (in_pieces(text, data[0] % 16 + 1) != n)
            abort();
        str trimmed = sql_trim(str_sub(text, 0, n));
        (void)sql_word_is(trimmed, 2, "trigger");
    }
    return 0;
}
