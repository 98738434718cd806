/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rt/fdpass.h"
#include "rt/msg.h"
#include "test.h"

TEST(a_message_comes_back_as_it_was_put)
{
    struct buf b;
    struct msg m;
    struct err err = ERR_INIT;
    buf_init(&b, LIMIT_FDPASS_BYTES);
    msg_begin(&b, MSG_CONNECTION);
    msg_put_number(&b, MSG_TAG_SOCKET, 3);
    msg_put(&b, MSG_TAG_UNREAD, STR("GET / HT"));
    CHECK_INT(msg_read(buf_str(&b), 1, &m, &err), STATUS_OK);
    CHECK_INT(m.type, MSG_CONNECTION);
    CHECK_INT(m.version, MSG_VERSION);
    CHECK_INT(m.numbers[MSG_TAG_SOCKET], 3);
    CHECK_STR(m.fields[MSG_TAG_UNREAD], "GET / HT");
    CHECK(m.fields[MSG_TAG_WHY].p == NULL);
    CHECK_INT(msg_read(buf_str(&b), 0, &m, &err), STATUS_PROTOCOL); /* its descriptor is missing */
    for (size_t n = 0; n < b.n; n++)                                /* and cut anywhere */
        CHECK_INT(msg_read(str_make(b.p, n), 1, &m, &err), STATUS_PROTOCOL);
    buf_release(&b);
}

TEST(what_a_later_version_adds_is_passed_over)
{
    struct buf b;
    struct msg m;
    struct err err = ERR_INIT;
    buf_init(&b, LIMIT_FDPASS_BYTES);
    msg_begin(&b, MSG_READY);
    msg_put(&b, (enum msg_tag)77, STR("new")); /* a field */
    CHECK_INT(msg_read(buf_str(&b), 0, &m, &err), STATUS_OK);
    CHECK_INT(m.type, MSG_READY);
    msg_begin(&b, (enum msg_type)99); /* a type, with descriptors */
    CHECK_INT(msg_read(buf_str(&b), 3, &m, &err), STATUS_OK);
    CHECK_INT(m.type, MSG_UNKNOWN);
    buf_release(&b);
}

TEST(messages_that_are_none_are_refused)
{
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {
        {"", 0},
        {"HTTP/1.1", 8},
        {"VTRM\0\0\3\0", 8},                                  /* no version */
        {"VTRM\1\0\1\0", 8},                                  /* hello without its fields */
        {"VTRM\1\0\3\0\1\0\0\0\4\0\0\0abcd", 20},             /* a number of four bytes */
        {"VTRM\1\0\3\0\5\0\0\0\377\377\377\377", 16},         /* longer than the message */
        {"VTRM\1\0\3\0\5\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0", 24}, /* twice */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct msg m;
        struct err err = ERR_INIT;
        CHECK_INT(msg_read(str_make(cases[i].bytes, cases[i].n), 0, &m, &err), STATUS_PROTOCOL);
        CHECK(err.text[0] != '\0');
    }
    CHECK(strcmp(msg_name((enum msg_type)99), "unknown") == 0);
}

TEST(descriptors_go_through_a_socket)
{
    struct err err = ERR_INIT;
    int pair[2], pipe_ends[2], got[LIMIT_FDPASS_FDS];
    char space[100];
    str bytes;
    size_t count;
    CHECK_INT(fdpass_pair(pair, &err), STATUS_OK);
    CHECK(pipe(pipe_ends) == 0);
    CHECK_INT(fdpass_receive(pair[1], space, sizeof space, &bytes, got, &count, &err), STATUS_AGAIN);
    CHECK_INT(fdpass_send(pair[0], STR("here"), pipe_ends, 2, &err), STATUS_OK);
    CHECK_INT(fdpass_send(pair[0], STR("more"), NULL, 0, &err), STATUS_OK);
    CHECK_INT(fdpass_receive(pair[1], space, sizeof space, &bytes, got, &count, &err), STATUS_OK);
    CHECK_STR(bytes, "here");
    CHECK_INT(count, 2);
    CHECK(fcntl(got[0], F_GETFD) == FD_CLOEXEC);
    CHECK(write(got[1], "x", 1) == 1 && read(pipe_ends[0], space, 1) == 1);
    close(got[0]), close(got[1]);
    CHECK_INT(fdpass_receive(pair[1], space, sizeof space, &bytes, got, &count, &err), STATUS_OK);
    CHECK_STR(bytes, "more");
    CHECK_INT(count, 0);
    /* too long for the reader: refused, and its descriptors do not stay open (the runner looks) */
    CHECK_INT(fdpass_send(pair[0], STR("too long"), pipe_ends, 2, &err), STATUS_OK);
    CHECK_INT(fdpass_receive(pair[1], space, 3, &bytes, got, &count, &err), STATUS_PROTOCOL);
    close(pair[0]);
    CHECK_INT(fdpass_receive(pair[1], space, sizeof space, &bytes, got, &count, &err), STATUS_CLOSED);
    CHECK_INT(fdpass_send(pair[1], STR("x"), NULL, 0, &err), STATUS_CLOSED);
    close(pair[1]), close(pipe_ends[0]), close(pipe_ends[1]);
}

TEST(a_full_socket_says_again)
{
    struct err err = ERR_INIT;
    int pair[2];
    static char big[LIMIT_FDPASS_BYTES];
    CHECK_INT(fdpass_pair(pair, &err), STATUS_OK);
    enum status st = STATUS_OK;
    for (int i = 0; i < 1000 && st == STATUS_OK; i++)
        st = fdpass_send(pair[0], str_make(big, sizeof big), NULL, 0, &err);
    CHECK_INT(st, STATUS_AGAIN);
    close(pair[0]), close(pair[1]);
}
