/* SPDX-License-Identifier: Apache-2.0 */
#include "net/socks.h"

#include <arpa/inet.h>

#include "base/banned.h"

enum { VERSION = 5, NO_AUTHENTICATION = 0, CONNECT = 1, IPV4 = 1, NAME = 3, IPV6 = 4 };

static unsigned byte_at(str bytes, size_t at)
{
    return (unsigned char)bytes.p[at];
}

enum status socks_read_greeting(str bytes, size_t *ret_used)
{
    if (bytes.n && byte_at(bytes, 0) != VERSION)
        return STATUS_PROTOCOL;
    if (bytes.n < 2 || bytes.n < 2 + byte_at(bytes, 1))
        return STATUS_AGAIN;
    *ret_used = 2 + byte_at(bytes, 1);
    return memchr(bytes.p + 2, NO_AUTHENTICATION, *ret_used - 2) ? STATUS_OK : STATUS_PROTOCOL;
}

static bool is_host(str name)
{
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 0x7f)
            return false;
    return name.n > 0;
}

enum status socks_read_request(str bytes, struct socks_request *ret, size_t *ret_used, enum socks_reply *ret_reply)
{
    struct socks_request q = {.is_address = true};
    *ret_reply = SOCKS_FAILED;
    if (bytes.n && byte_at(bytes, 0) != VERSION)
        return STATUS_PROTOCOL;
    if (bytes.n < 5)
        return STATUS_AGAIN;
    unsigned kind = byte_at(bytes, 3);
    if (byte_at(bytes, 1) != CONNECT || (kind != IPV4 && kind != IPV6 && kind != NAME)) {
        *ret_reply = byte_at(bytes, 1) != CONNECT ? SOCKS_NO_SUCH_COMMAND : SOCKS_NO_SUCH_ADDRESS;
        return STATUS_PROTOCOL;
    }
    size_t at = kind == NAME ? 5 : 4, size = kind == IPV4 ? 4 : kind == IPV6 ? 16 : byte_at(bytes, 4);
    if (bytes.n < at + size + 2)
        return STATUS_AGAIN;
    q.port = byte_at(bytes, at + size) << 8 | byte_at(bytes, at + size + 1);
    if (kind == NAME) {
        str name = str_sub(bytes, at, at + size);
        if (!is_host(name))
            return STATUS_PROTOCOL;
        memcpy(q.host, name.p, name.n);
        q.is_address = false;
    } else if (!inet_ntop(kind == IPV4 ? AF_INET : AF_INET6, bytes.p + at, q.host, sizeof q.host)) {
        return STATUS_PROTOCOL;
    }
    if (!q.port)
        return STATUS_PROTOCOL;
    *ret = q;
    *ret_used = at + size + 2;
    return STATUS_OK;
}

void socks_write_answer(enum socks_reply reply, char out[SOCKS_ANSWER])
{
    const char answer[SOCKS_ANSWER] = {VERSION, (char)reply, 0, IPV4};
    memcpy(out, answer, sizeof answer);
}
