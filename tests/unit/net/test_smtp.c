/* SPDX-License-Identifier: Apache-2.0 */
/* A thread is the mail server: it answers each line from a list. A real one, with TLS, is in tests/hub/test_mail.py. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/smtp.h"
#include "test.h"

struct server {
    int fd;
    const char *verb, *answer; /* to this command instead of 250 */
    char got[4096];
    size_t n;
    pthread_t thread;
};

static bool say(int c, const char *text)
{
    return send(c, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

static void answer_line(const struct server *s, int c, const char *line, bool *data)
{
    bool end = *data && strncmp(line, ".\r", 2) == 0;
    if (*data && !end)
        return;
    *data = false;
    if (s->verb && strncmp(end ? "." : line, s->verb, strlen(s->verb)) == 0) {
        (void)say(c, s->answer);
    } else if (strncmp(line, "DATA", 4) == 0) {
        *data = true;
        (void)say(c, "354 go on\r\n");
    } else {
        (void)say(c, "250 well\r\n");
    }
}

static void *serve(void *arg)
{
    struct server *s = arg;
    int c = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
    bool data = false;
    size_t line = 0;
    if (c < 0)
        return NULL;
    (void)say(c, "220 here\r\n");
    while (s->n < sizeof s->got - 1 && read(c, s->got + s->n, 1) == 1) {
        s->n++;
        if (s->got[s->n - 1] == '\n') {
            answer_line(s, c, s->got + line, &data);
            line = s->n;
        }
    }
    close(c);
    return NULL;
}

static enum status send_one(struct server *s, const char *scheme, str message, struct err *err)
{
    struct arena *a = arena_new(0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(s->fd >= 0 && bind(s->fd, (struct sockaddr *)&at, n) == 0 && listen(s->fd, 1) == 0);
    CHECK(getsockname(s->fd, (struct sockaddr *)&at, &n) == 0);
    CHECK(pthread_create(&s->thread, NULL, serve, s) == 0);
    struct smtp smtp = {.url = arena_printf(a, "%s:%d", scheme, ntohs(at.sin_port)),
                        .name = STR("hub.example.org"),
                        .timeout_ms = 20000};
    *err = (struct err)ERR_INIT;
    enum status st = smtp_send(a, &smtp, STR("a@example.org"), STR("b@example.org"), message, err);
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    arena_free(a);
    return st;
}

TEST(a_message_as_it_is)
{
    struct server s = {0};
    struct err err;
    CHECK_INT(send_one(&s, "smtp://127.0.0.1", STR("Subject: x\r\n\r\n.\r\n..b\r\n"), &err), STATUS_OK);
    CHECK(strstr(s.got, "EHLO hub.example.org\r\n") == s.got);
    CHECK(strstr(s.got, "\r\nMAIL FROM:<a@example.org>"));
    CHECK(strstr(s.got, "\r\nRCPT TO:<b@example.org>\r\n"));
    CHECK(strstr(s.got, "\r\n\r\n..\r\n...b\r\n.\r\n")); /* a line of one dot is no end */
}

TEST(what_a_server_says)
{
    static const struct {
        const char *verb, *answer;
        enum status status;
        const char *text;
    } known[] = {{"RCPT", "550 5.1.1 nobody of that name\r\n", STATUS_INVALID, "nobody of that name"},
                 {"RCPT", "451 4.7.1 greylisted\r\n", STATUS_BUSY, "greylisted"},
                 {"MAIL", "421 too many\r\n", STATUS_BUSY, "too many"},
                 {".", "552 too big\r\n", STATUS_INVALID, "too big"},
                 {".", "452 no room\r\n", STATUS_BUSY, "no room"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct server s = {.verb = known[i].verb, .answer = known[i].answer};
        struct err err;
        if (send_one(&s, "smtp://127.0.0.1", STR("\r\n"), &err) != known[i].status || !strstr(err.text, known[i].text))
            test_fail(__FILE__, __LINE__, "%s: %s", known[i].answer, err.text);
    }
}

TEST(nobody_there)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct smtp smtp = {.url = STR("smtp://127.0.0.1:1"), .name = STR("x"), .timeout_ms = 20000};
    CHECK_INT(smtp_send(a, &smtp, STR("a@b.c"), STR("a@b.c"), STR("\r\n"), &err), STATUS_IO);
    arena_free(a);
}

TEST(servers_that_are_none)
{
    static const char *const bad[] = {
        "",           "mail.example.org", "http://x",       "smtp://",        "smtp://:25",  "smtp://u:p@x.org",
        "smtp://x/y", "smtp://x:0",       "smtp://x:99999", "smtp://x:25:26", "smtp://[::1", "smtp://x?y",
        "smtp://a b"};
    static const char *const good[] = {"smtp://x", "smtps://x.org", "smtp://127.0.0.1:25", "smtp://[::1]:2525"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (smtp_check(str_of(bad[i]), NULL) != STATUS_INVALID)
            test_fail(__FILE__, __LINE__, "%s", bad[i]);
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        CHECK_INT(smtp_check(str_of(good[i]), NULL), STATUS_OK);
}
