/* SPDX-License-Identifier: Apache-2.0 */
/* SOCKS5: greetings and requests, whole, in pieces, and wrong. */
#include "net/socks.h"
#include "test.h"

static enum status greet(str in, size_t *used)
{
    return socks_read_greeting(in, used);
}

TEST(socks_greeting)
{
    size_t used = 0;
    CHECK_INT(greet(STR("\5\1\0rest"), &used), STATUS_OK);
    CHECK_INT((int)used, 3);
    CHECK_INT(greet(STR("\5\2\2\0"), &used), STATUS_OK);
    CHECK_INT(greet(STR("\5\1\2"), &used), STATUS_PROTOCOL);   /* a password only */
    CHECK_INT(greet(STR("\5\0rest"), &used), STATUS_PROTOCOL); /* nothing at all */
    CHECK_INT(greet(STR("\4\1"), &used), STATUS_PROTOCOL);
    CHECK_INT(greet(STR("GET /"), &used), STATUS_PROTOCOL);
    CHECK_INT(greet(STR(""), &used), STATUS_AGAIN);
    CHECK_INT(greet(STR("\5"), &used), STATUS_AGAIN);
    CHECK_INT(greet(STR("\5\3\0\1"), &used), STATUS_AGAIN);
}

static void wants(str in, const char *host, unsigned port, bool is_address)
{
    struct socks_request q = {0};
    enum socks_reply reply;
    size_t used = 0;
    for (size_t n = 0; n < in.n; n++)
        CHECK_INT(socks_read_request(str_make(in.p, n), &q, &used, &reply), STATUS_AGAIN);
    CHECK_INT(socks_read_request(in, &q, &used, &reply), STATUS_OK);
    CHECK_INT((int)used, (int)in.n);
    CHECK_STR(str_of(q.host), host);
    CHECK_INT((int)q.port, (int)port);
    CHECK_INT(q.is_address, is_address);
}

static void refuses(str in, enum socks_reply wanted)
{
    struct socks_request q = {0};
    enum socks_reply reply = SOCKS_DONE;
    size_t used = 0;
    CHECK_INT(socks_read_request(in, &q, &used, &reply), STATUS_PROTOCOL);
    CHECK_INT((int)reply, (int)wanted);
}

TEST(socks_request)
{
    wants(STR("\5\1\0\1\300\0\2\7\0\120"), "192.0.2.7", 80, true);
    wants(STR("\5\1\0\3\7a.b.org\1\273"), "a.b.org", 443, false);
    wants(STR("\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1"), "::1", 1, true);
    refuses(STR("\4\1\0\1\300\0\2\7\0\120"), SOCKS_FAILED);
    refuses(STR("\5\2\0\1\300\0\2\7\0\120"), SOCKS_NO_SUCH_COMMAND); /* BIND */
    refuses(STR("\5\1\0\2\300\0\2\7\0\120"), SOCKS_NO_SUCH_ADDRESS);
    refuses(STR("\5\1\0\1\300\0\2\7\0\0"), SOCKS_FAILED); /* port 0 */
    refuses(STR("\5\1\0\3\0\0\120"), SOCKS_FAILED);       /* no name */
    refuses(STR("\5\1\0\3\4a\0.b\0\120"), SOCKS_FAILED);  /* NUL: the resolver would see another name */
    refuses(STR("\5\1\0\3\5a\nb c\0\120"), SOCKS_FAILED);
}

TEST(socks_answer)
{
    char out[SOCKS_ANSWER];
    socks_write_answer(SOCKS_NOT_ALLOWED, out);
    CHECK(memcmp(out, "\5\2\0\1\0\0\0\0\0\0", SOCKS_ANSWER) == 0);
}
