/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_socks — any bytes as a client of the gate: what is read lies inside of them, and a host is one word. */
#include <stdlib.h>

#include "net/socks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_make((const char *)data, size);
    struct socks_request q;
    enum socks_reply reply = SOCKS_DONE;
    size_t used = 0;
    if (socks_read_greeting(in, &used) == STATUS_OK && (used > size || used > SOCKS_GREETING_MAX))
        abort();
    enum status st = socks_read_request(in, &q, &used, &reply);
    if (st == STATUS_AGAIN && size >= SOCKS_REQUEST_MAX)
        abort();
    if (st == STATUS_PROTOCOL && reply == SOCKS_DONE)
        abort();
    if (st == STATUS_OK && (used > size || used > SOCKS_REQUEST_MAX || !q.host[0] || strpbrk(q.host, " \r\n\t") ||
                            !q.port || q.port > 65535))
        abort();
    return 0;
}
