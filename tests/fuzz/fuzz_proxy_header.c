/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_proxy_header — any bytes as the PROXY protocol: what is read lies inside of them, and how they are cut changes
 * nothing. */
#include <stdlib.h>

#include "base/limits.h"
#include "net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole, part;
    size_t used = 0, again = 0, n = 0;
    char text[ADDR_TEXT_MAX];
    enum status st = proxy_header_parse(str_make((const char *)data, size), &whole, &used, NULL), cut = STATUS_AGAIN;
    if (st == STATUS_OK && (!used || used > size || used > LIMIT_PROXY_HEADER))
        abort();
    while (n < size && cut == STATUS_AGAIN) {
        char *piece = malloc(++n);
        ASSERT(piece);
        memcpy(piece, data, n);
        cut = proxy_header_parse(str_make(piece, n), &part, &again, NULL);
        free(piece);
    }
    if (cut != st || (st == STATUS_OK && (again != used || n != used || part.known != whole.known)))
        abort();
    if (st == STATUS_OK && whole.known && addr_format(&whole.client, text) + addr_format(&whole.server, text) == 0)
        abort();
    return 0;
}
