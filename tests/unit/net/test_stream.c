/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream.h"
#include "test.h"

static void pair(struct stream *a, struct stream *b)
{
    int p[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p) == 0);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    stream_init_plain(a, p[0]);
    stream_init_plain(b, p[1]);
}

TEST(pieces_are_gathered_and_come_out_as_bytes)
{
    struct stream a, b;
    struct err err = ERR_INIT;
    char out[100];
    size_t n = 0;
    pair(&a, &b);
    CHECK_INT(stream_handshake(&a, &err), STATUS_OK);
    CHECK_INT(stream_read(&b, out, sizeof(out), &n, &err), STATUS_AGAIN);
    CHECK_INT(stream_read_wants(&b), LOOP_READ);
    struct iovec iov[3] = {{out, 0}, {(char *)(uintptr_t) "ab", 2}, {(char *)(uintptr_t) "cde", 3}};
    CHECK_INT(stream_writev(&a, iov, 3, STREAM_MORE, &n, &err), STATUS_OK);
    CHECK_INT(n, 5);
    CHECK_INT(stream_writev(&a, iov + 1, 1, 0, &n, &err), STATUS_OK);
    CHECK_INT(n, 2);
    CHECK_INT(stream_read(&b, out, sizeof(out), &n, &err), STATUS_OK);
    CHECK_STR(str_make(out, n), "abcdeab");
    CHECK(!stream_pending(&b) && !stream_is_tls(&b) && stream_alpn(&b).n == 0);
    CHECK_STR(str_of(stream_tls_version(&b)), "");
    stream_release(&a);
    stream_release(&a);
    stream_release(&b);
}

TEST(the_end_and_the_death_of_the_peer_are_closed)
{
    struct stream a, b;
    struct err err = ERR_INIT;
    char out[10];
    size_t n = 77;
    pair(&a, &b);
    CHECK_INT(stream_shutdown(&a, &err), STATUS_OK);
    CHECK_INT(stream_read(&b, out, sizeof(out), &n, &err), STATUS_CLOSED);
    struct iovec iov = {out, sizeof(out)};
    CHECK_INT(stream_writev(&b, &iov, 1, 0, &n, &err), STATUS_OK); /* the other direction still works */
    CHECK_INT(stream_read(&a, out, sizeof(out), &n, &err), STATUS_OK);
    stream_release(&a);
    n = 77;
    CHECK_INT(stream_writev(&b, &iov, 1, 0, &n, &err), STATUS_CLOSED);
    CHECK_INT(n, 77);
    CHECK(strstr(err.text, "gone") != NULL);
    stream_release(&b);
}

TEST(a_full_socket_says_again)
{
    struct stream a, b;
    struct err err = ERR_INIT;
    static char block[65536];
    size_t n;
    enum status st;
    pair(&a, &b);
    struct iovec iov = {block, sizeof(block)};
    while ((st = stream_writev(&a, &iov, 1, 0, &n, &err)) == STATUS_OK)
        ;
    CHECK_INT(st, STATUS_AGAIN);
    CHECK_INT(stream_write_wants(&a), LOOP_WRITE);
    while (stream_read(&b, block, sizeof(block), &n, &err) == STATUS_OK)
        ;
    CHECK_INT(stream_writev(&a, &iov, 1, 0, &n, &err), STATUS_OK);
    stream_release(&a);
    stream_release(&b);
}

TEST(files_are_sent_from_an_offset_and_a_shrunk_file_is_noticed)
{
    struct stream a, b;
    struct err err = ERR_INIT;
    char name[] = "/tmp/test-stream-XXXXXX", out[100];
    size_t n;
    int fd = mkostemp(name, O_CLOEXEC);
    CHECK(fd >= 0 && unlink(name) == 0 && write(fd, "0123456789", 10) == 10);
    pair(&a, &b);
    CHECK_INT(stream_sendfile(&a, fd, 3, 4, &n, &err), STATUS_OK);
    CHECK_INT(n, 4);
    CHECK_INT(stream_sendfile(&a, fd, 8, 100, &n, &err), STATUS_OK);
    CHECK_INT(n, 2);
    CHECK_INT(stream_sendfile(&a, fd, 10, 98, &n, &err), STATUS_CORRUPT);
    CHECK_INT(stream_read(&b, out, sizeof(out), &n, &err), STATUS_OK);
    CHECK_STR(str_make(out, n), "345689");
    close(fd);
    stream_release(&a);
    stream_release(&b);
}
