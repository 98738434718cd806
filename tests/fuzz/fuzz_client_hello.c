/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte says which extension the rest is. A name that is taken is one that a certificate can have. */
#include <stddef.h>

#include "base/macros.h"
#include "net/client_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char host[CLIENT_HELLO_HOST_MAX];
    if (!size)
        return 0;
    str rest = str_make((const char *)data + 1, size - 1);
    if (data[0] & 1) {
        bool only = client_hello_only(rest, STR("acme-tls/1"));
        ASSERT(!only || rest.n == 13);
        return 0;
    }
    size_t n = client_hello_host(rest, host);
    ASSERT(n < CLIENT_HELLO_HOST_MAX && host[n] == 0 && n == strlen(host) && n + 5 <= rest.n + 5);
    for (size_t i = 0; i < n; i++)
        ASSERT(host[i] != '/' && host[i] > ' ' && !(host[i] >= 'A' && host[i] <= 'Z'));
    ASSERT(n == 0 || (host[0] != '.' && host[n - 1] != '.' && !strstr(host, "..")));
    return 0;
}
