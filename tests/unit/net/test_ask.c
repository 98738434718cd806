/* SPDX-License-Identifier: Apache-2.0 */
/* A thread of the test is the server: it reads one head and answers with bytes of the test's choice. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/addr.h"
#include "net/ask.h"
#include "test.h"

struct served {
    int fd;
    str answer; /* empty: none at all, the connection stays open until the test closes the listener */
    char head[4096];
    size_t n;
    pthread_t thread;
};

static void *serve(void *arg)
{
    struct served *s = arg;
    int c = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
    while (c >= 0 && s->n < sizeof s->head - 1 && !strstr(s->head, "\r\n\r\n")) {
        ssize_t got = read(c, s->head + s->n, sizeof s->head - 1 - s->n);
        if (got <= 0)
            break;
        s->n += (size_t)got;
    }
    for (size_t at = 0; c >= 0 && at < s->answer.n;) {
        ssize_t put = send(c, s->answer.p + at, s->answer.n - at, MSG_NOSIGNAL);
        if (put <= 0)
            break;
        at += (size_t)put;
    }
    if (c >= 0 && !s->answer.n) { /* until the client leaves */
        char rest;
        while (read(c, &rest, 1) > 0)
            ;
    }
    if (c >= 0)
        close(c);
    return NULL;
}

static str begin(struct arena *a, struct served *s, str answer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    *s = (struct served){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .answer = answer};
    CHECK(s->fd >= 0 && bind(s->fd, (struct sockaddr *)&at, n) == 0 && listen(s->fd, 1) == 0);
    CHECK(getsockname(s->fd, (struct sockaddr *)&at, &n) == 0);
    CHECK(pthread_create(&s->thread, NULL, serve, s) == 0);
    return arena_printf(a, "http://127.0.0.1:%d/x?y=1", ntohs(at.sin_port));
}

static void end(struct served *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

static enum status ask_one(struct arena *a, str answer, struct ask q, struct ask_answer *ret, struct value *ret_json,
                           struct err *err, char head[4096])
{
    struct served s;
    q.url = begin(a, &s, answer);
    q.method = q.method.n ? q.method : STR("GET");
    q.timeout_ms = q.timeout_ms ? q.timeout_ms : 20000;
    q.max_answer = q.max_answer ? q.max_answer : 1000;
    enum status st = ask_json(a, &q, ret, ret_json, err);
    end(&s);
    if (head)
        memcpy(head, s.head, sizeof s.head);
    return st;
}

TEST(answer_with_headers_and_json)
{
    struct arena *a = arena_new(0);
    struct ask_answer answer;
    struct value json;
    char head[4096];
    const str headers[] = {STR("Authorization: Bearer t")};
    CHECK_INT(
        ask_one(a,
                STR("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Type: application/json\r\nReplay-Nonce: n1\r\n"
                    "Content-Length: 8\r\n\r\n{\"a\": 1}"),
                (struct ask){.method = STR("POST"), .body = STR("b=2"), .headers = headers, .header_count = 1}, &answer,
                &json, NULL, head),
        STATUS_OK);
    CHECK_INT(answer.status, 429);
    CHECK_INT(answer.retry_after_s, 7);
    CHECK_STR(answer.type, "application/json");
    CHECK_STR(ask_header(&answer, STR("replay-nonce")), "n1");
    CHECK(ask_header(&answer, STR("location")).p == NULL);
    CHECK_INT(VALUE_GET(json, "a").i, 1);
    CHECK(strstr(head, "POST /x?y=1 HTTP/1.1\r\n") && strstr(head, "\r\nAuthorization: Bearer t\r\n"));
    CHECK(strstr(head, "\r\nContent-Length: 3\r\n") && !strstr(head, "Expect"));
    arena_free(a);
}

TEST(redirects_are_answers)
{
    struct arena *a = arena_new(0);
    struct ask_answer answer;
    struct value json;
    struct err err = ERR_INIT;
    str moved = STR("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\n{}");
    CHECK_INT(ask_one(a, moved, (struct ask){0}, &answer, &json, &err, NULL), STATUS_OK);
    CHECK_INT(answer.status, 302);
    CHECK_STR(ask_header(&answer, STR("Location")), "http://127.0.0.1:1/");
    arena_free(a);
}

TEST(what_is_no_json)
{
    struct arena *a = arena_new(0);
    struct ask_answer answer;
    struct value json;
    struct err err = ERR_INIT;
    str good = STR("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<p/>"), bad = STR("HTTP/1.1 502 No\r\n\r\n<p/>");
    CHECK_INT(ask_one(a, good, (struct ask){0}, &answer, &json, &err, NULL), STATUS_INVALID);
    CHECK(strstr(err.text, "status 200 and no JSON: line 1 column 1"));
    CHECK_INT(ask_one(a, bad, (struct ask){0}, &answer, &json, &err, NULL), STATUS_OK);
    CHECK_INT(answer.status, 502);
    CHECK(json.kind == VALUE_UNDEFINED);
    arena_free(a);
}

TEST(answers_have_a_size)
{
    struct arena *a = arena_new(0);
    struct ask_answer answer;
    struct value json;
    struct err err = ERR_INIT;
    str long_body = STR("HTTP/1.1 200 OK\r\n\r\n\"0123456789\"");
    CHECK_INT(ask_one(a, long_body, (struct ask){.max_answer = 8}, &answer, &json, &err, NULL), STATUS_TOO_LARGE);
    CHECK(strstr(err.text, "larger than 8 bytes"));
    struct buf b;
    buf_init(&b, 1000000);
    buf_puts(&b, STR("HTTP/1.1 200 OK\r\n"));
    for (int i = 0; i <= LIMIT_ASK_HEADERS / 1000; i++)
        buf_printf(&b, "X-%d: %01000d\r\n", i, 0);
    buf_puts(&b, STR("\r\n{}"));
    CHECK_INT(ask_one(a, buf_str(&b), (struct ask){0}, &answer, &json, &err, NULL), STATUS_TOO_LARGE);
    CHECK(strstr(err.text, "headers of the answer are larger than"));
    buf_release(&b);
    arena_free(a);
}

TEST(answers_have_a_deadline)
{
    struct arena *a = arena_new(0);
    struct ask_answer answer;
    struct value json;
    struct err err = ERR_INIT;
    CHECK_INT(ask_one(a, STR(""), (struct ask){.timeout_ms = 50}, &answer, &json, &err, NULL), STATUS_TIMEOUT);
    arena_free(a);
}

TEST(addresses_inside_are_refused)
{
    struct arena *a = arena_new(0);
    struct ask_answer answer;
    struct value json;
    struct err err = ERR_INIT;
    CHECK_INT(
        ask_one(a, STR("HTTP/1.1 200 OK\r\n\r\n{}"), (struct ask){.public_only = true}, &answer, &json, &err, NULL),
        STATUS_FORBIDDEN);
    struct ask other = {.method = STR("GET"), .url = STR("file:///etc/passwd"), .timeout_ms = 9, .max_answer = 9};
    CHECK_INT(ask_url(a, &other, &answer, &err), STATUS_INVALID);
    arena_free(a);
}

TEST(public_addresses)
{
    static const struct {
        const char *text;
        bool public;
    } known[] = {{"127.0.0.1:1", false},
                 {"10.1.2.3:1", false},
                 {"172.31.0.1:1", false},
                 {"192.168.1.1:1", false},
                 {"169.254.169.254:1", false},
                 {"100.64.0.1:1", false},
                 {"0.0.0.0:1", false},
                 {"224.0.0.1:1", false},
                 {"1.1.1.1:1", true},
                 {"172.32.0.1:1", true},
                 {"[::1]:1", false},
                 {"[fe80::1]:1", false},
                 {"[fc00::1]:1", false},
                 {"[2606:4700::1]:1", true},
                 {"[64:ff9b::7f00:1]:1", false},
                 {"unix:/tmp/x", false},
                 {"[64:ff9b::808:808]:1", true},
                 {"[64:ff9b:1:a00::808:808]:1", false},
                 {"[2002:7f00:1::808:808]:1", false},
                 {"[2002:a9fe:a9fe::1]:1", false},
                 {"[2002:808:808::1]:1", true},
                 {"[2001:0:808:808::1]:1", false},
                 {"[2001:4860:4860::8888]:1", true},
                 {"[::ffff:10.0.0.1]:1", false},
                 {"[::ffff:8.8.8.8]:1", true},
                 {"[::10.0.0.1]:1", false},
                 {"[::]:1", false}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct addr at;
        CHECK_INT(addr_parse(str_of(known[i].text), &at, NULL), STATUS_OK);
        if (addr_is_public((const struct sockaddr *)&at.ss) != known[i].public)
            test_fail(__FILE__, __LINE__, "%s", known[i].text);
    }
}
