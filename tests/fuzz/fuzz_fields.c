/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that clients and proxies send: traceparent, X-Request-ID, X-Forwarded-For, Forwarded, and the setting that
 * says whom to believe. First byte: which; then the bytes, each in a block of its own so that reading past it is
 * noticed. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "http/forwarded.h"
#include "http/trace_context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_client(const char *client)
{
    unsigned char to[16];
    if (strcmp(client, "unix") != 0 && inet_pton(AF_INET, client, to) != 1 && inet_pton(AF_INET6, client, to) != 1)
        abort();
}

static void chain(const char *name, str value)
{
    struct http_header items[] = {{str_of(name), value}, {STR("x-forwarded-proto"), value}};
    struct http_headers h = {items, 2, 2};
    struct proxy_list l;
    struct forwarded f;
    if (proxy_list_parse(STR("127.0.0.1,10.0.0.0/8,::1,unix"), &l, NULL) != STATUS_OK)
        abort();
    forwarded_find(&l, &h, STR("127.0.0.1:1"), &f);
    check_client(f.client);
    forwarded_find(&l, &h, STR("unix:"), &f);
    check_client(f.client);
    forwarded_find(&l, &h, value, &f); /* no peer of ours, but nothing must break */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_context t;
    struct proxy_list l;
    struct err err = ERR_INIT;
    if (!size)
        return 0;
    char *copy = malloc(size);
    if (!copy)
        abort();
    memcpy(copy, data + 1, size - 1);
    str value = str_make(copy, size - 1);
    switch (data[0] % 4) {
    case 0:
        if (trace_context_parse(value, &t) && (t.trace_id.n != 32 || t.parent_id.n != 16))
            abort();
        if (request_id_ok(value) && !http_header_value_ok(value))
            abort();
        break;
    case 1:
        chain("x-forwarded-for", value);
        break;
    case 2:
        chain("forwarded", value);
        break;
    default:
        if (proxy_list_parse(value, &l, &err) == STATUS_OK && l.count > LIMIT_TRUSTED_PROXIES)
            abort();
        break;
    }
    free(copy);
    return 0;
}
