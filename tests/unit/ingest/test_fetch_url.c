/* SPDX-License-Identifier: Apache-2.0 */
/* What needs no server; tests/ingest/test_url.py has the rest. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "codec/url.h"
#include "ingest/fetch_url.h"
#include "test.h"

TEST(fetch_url_what_is_a_url)
{
    CHECK(fetch_url_is(STR("http://a")) && fetch_url_is(STR("HTTPS://a/b.csv")) && fetch_url_is(STR("ftp://a")));
    CHECK(!fetch_url_is(STR("a.csv")) && !fetch_url_is(STR("/a://b")) && !fetch_url_is(STR("://")));
    CHECK(!fetch_url_is(STR("-")) && !fetch_url_is(STR("a-b://c")) && !fetch_url_is(STR("")));
}

TEST(fetch_url_hides_passwords)
{
    struct arena *a = arena_new(0);
    CHECK_STR(url_shown(a, STR("https://ada:secret@x.org/a.csv?b=@")), "https://x.org/a.csv?b=@");
    CHECK_STR(url_shown(a, STR("https://x.org/a@b.csv")), "https://x.org/a@b.csv");
    CHECK_STR(url_shown(a, STR("http://u@h")), "http://h");
    arena_free(a);
}

TEST(fetch_url_public_addresses_only)
{
    static const char *const inside[] = {"http://127.0.0.1:1/",  "http://10.1.2.3/",        "http://192.168.0.1/",
                                         "http://172.31.0.1/",   "http://169.254.1.1/",     "http://[::1]:1/",
                                         "http://[fe80::1]/",    "http://[fc00::1]/",       "http://[::ffff:10.0.0.1]/",
                                         "http://100.64.0.1/",   "http://0.0.0.0/",         "http://224.0.0.1/",
                                         "http://198.18.0.1:1/", "http://[64:ff9b::a00:1]/"};
    for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
        const struct fetch_url_options o = {.public_only = true, .backoff_ms = 1, .timeout_ms = 5000};
        struct arena *a = arena_new(0);
        struct err err = ERR_INIT;
        struct fetch_url_result r;
        int fd = memfd_create("test", MFD_CLOEXEC);
        CHECK_INT(fetch_url(a, str_of(inside[i]), &o, fd, &r, &err), STATUS_FORBIDDEN);
        close(fd);
        arena_free(a);
    }
}

TEST(fetch_url_refuses)
{
    static const struct {
        const char *url;
        enum status status;
    } bad[] = {
        {"ftp://127.0.0.1/x", STATUS_INVALID}, {"file:///etc/passwd", STATUS_INVALID}, {"http://", STATUS_INVALID}};
    struct fetch_url_options o = {.backoff_ms = 1, .timeout_ms = 5000};
    struct fetch_url_result r;
    struct arena *a = arena_new(0);
    int fd = memfd_create("test", MFD_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_INT(fetch_url(a, str_of(bad[i].url), &o, fd, &r, NULL), bad[i].status);
    char *url = arena_alloc(a, LIMIT_FETCH_URL + 2);
    memset(url, 'a', LIMIT_FETCH_URL + 1);
    CHECK_INT(fetch_url(a, str_of(url), &o, fd, &r, NULL), STATUS_INVALID);
    atomic_bool cancelled = true;
    o.cancelled = &cancelled;
    o.backoff_ms = 60000; /* it does not wait for that */
    enum status st = fetch_url(a, STR("http://127.0.0.1:1/"), &o, fd, &r, NULL);
    CHECK(st == STATUS_CANCELLED || st == STATUS_IO);
    close(fd);
    arena_free(a);
}
