/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "net/listener.h"
#include "rt/fault.h"
#include "test.h"

static struct loop *loop;
static struct listener *listener;
static int accepted[64], accepted_count;
static char last_peer[ADDR_TEXT_MAX];
static bool free_at_accept;

static void on_accept(void *arg, int fd, const struct addr *peer)
{
    CHECK(arg == &listener);
    accepted[accepted_count++] = fd;
    addr_format(peer, last_peer);
    if (free_at_accept)
        listener_free(listener);
}

static enum status open_at(const char *text, struct listener **ret, struct err *err)
{
    struct listener_config config = {0};
    CHECK_INT(addr_parse(str_of(text), &config.addr, err), STATUS_OK);
    return listener_open(&config, ret, err);
}

static void begin(const char *text)
{
    struct err err = ERR_INIT;
    if (!loop)
        CHECK_INT(loop_new(&loop, &err), STATUS_OK);
    if (open_at(text, &listener, &err) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", text, err.text);
    CHECK_INT(listener_start(listener, loop, on_accept, &listener, &err), STATUS_OK);
}

static void finish(void)
{
    for (int i = 0; i < accepted_count; i++)
        close(accepted[i]);
    listener_free(listener);
    loop_free(loop);
}

static int dial(const struct addr *to)
{
    int fd = socket(to->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&to->ss, to->len) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void wait_accepted(int want)
{
    struct err err = ERR_INIT;
    int64_t end_us = loop_refresh_now_us(loop) + 5000000;
    while (accepted_count < want) {
        CHECK_INT(loop_run_once(loop, 50, &err), STATUS_OK);
        CHECK(loop_now_us(loop) < end_us);
    }
}

static void run_ms(int ms)
{
    struct err err = ERR_INIT;
    int64_t end_us = loop_refresh_now_us(loop) + ms * 1000;
    while (loop_now_us(loop) < end_us)
        CHECK_INT(loop_run_once(loop, 5, &err), STATUS_OK);
}

TEST(port_0_is_a_real_port_and_connections_are_ready_to_use)
{
    begin("127.0.0.1:0");
    CHECK(addr_port(listener_addr(listener)) > 0);
    int client = dial(listener_addr(listener));
    CHECK(client >= 0);
    wait_accepted(1);
    struct sockaddr_in own;
    socklen_t n = sizeof(own);
    CHECK(getsockname(client, (struct sockaddr *)&own, &n) == 0);
    char want[64];
    snprintf(want, sizeof(want), "127.0.0.1:%u", ntohs(own.sin_port));
    CHECK_STR(str_of(last_peer), want);
    int nodelay = 0;
    n = sizeof(nodelay);
    CHECK(getsockopt(accepted[0], IPPROTO_TCP, TCP_NODELAY, &nodelay, &n) == 0 && nodelay);
    CHECK(fcntl(accepted[0], F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(accepted[0], F_GETFD) & FD_CLOEXEC);
    CHECK_INT(listener_accepted(listener), 1);
    close(client);
    finish();
}

TEST(all_addresses_take_ipv4_too)
{
    begin(":0");
    struct addr v4;
    struct err err = ERR_INIT;
    CHECK_INT(addr_from_host_port(STR("127.0.0.1"), addr_port(listener_addr(listener)), &v4, &err), STATUS_OK);
    int client = dial(&v4);
    CHECK(client >= 0);
    wait_accepted(1);
    CHECK(strncmp(last_peer, "127.0.0.1:", 10) == 0); /* not ::ffff:127.0.0.1 */
    close(client);
    finish();
}

TEST(an_address_in_use_is_a_conflict)
{
    begin("127.0.0.1:0");
    char text[ADDR_TEXT_MAX];
    addr_format(listener_addr(listener), text);
    struct listener *second = NULL;
    struct err err = ERR_INIT;
    CHECK_INT(open_at(text, &second, &err), STATUS_CONFLICT);
    CHECK(second == NULL && strstr(err.text, text) != NULL && err.hint[0] != '\0');
    CHECK_INT(open_at("192.0.2.1:1", &second, &err), STATUS_NOT_FOUND);
    finish();
}

TEST(a_paused_listener_lets_clients_wait)
{
    begin("127.0.0.1:0");
    listener_pause(listener);
    int client = dial(listener_addr(listener));
    CHECK(client >= 0);
    run_ms(30);
    CHECK_INT(accepted_count, 0);
    listener_resume(listener);
    wait_accepted(1);
    listener_stop(listener);
    int second = dial(listener_addr(listener));
    run_ms(30);
    CHECK_INT(accepted_count, 1);
    close(client), close(second);
    finish();
}

TEST(a_listener_may_be_freed_by_its_own_callback)
{
    begin("127.0.0.1:0");
    free_at_accept = true;
    int a = dial(listener_addr(listener)), b = dial(listener_addr(listener));
    CHECK(a >= 0 && b >= 0);
    wait_accepted(1);
    run_ms(20);
    CHECK_INT(accepted_count, 1);
    listener = NULL;
    close(a), close(b);
    finish();
}

/* ---- unix sockets ---- */

static char folder[64], socket_path[96], socket_text[110];

static void make_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/test-listener-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(socket_path, sizeof(socket_path), "%s/v.sock", folder);
    snprintf(socket_text, sizeof(socket_text), "unix:%s", socket_path);
}

TEST(a_unix_socket_has_its_mode_and_goes_away)
{
    make_folder();
    struct listener_config config = {.unix_mode = 0620};
    struct err err = ERR_INIT;
    struct stat st;
    CHECK_INT(loop_new(&loop, &err), STATUS_OK);
    CHECK_INT(addr_parse(str_of(socket_text), &config.addr, &err), STATUS_OK);
    CHECK_INT(listener_open(&config, &listener, &err), STATUS_OK);
    CHECK(stat(socket_path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0620);
    CHECK_INT(listener_start(listener, loop, on_accept, &listener, &err), STATUS_OK);
    char text[ADDR_TEXT_MAX];
    addr_format(listener_addr(listener), text);
    CHECK_STR(str_of(text), socket_text);
    int client = dial(listener_addr(listener));
    CHECK(client >= 0);
    wait_accepted(1);
    CHECK_STR(str_of(last_peer), "unix:");
    close(client);
    finish();
    CHECK(stat(socket_path, &st) < 0 && errno == ENOENT);
    CHECK(rmdir(folder) == 0); /* no temporary file either */
}

/* What a killed server leaves: the file of a socket that nobody holds. */
static void leave_stale_socket(void)
{
    struct addr a;
    struct err err = ERR_INIT;
    CHECK_INT(addr_parse(str_of(socket_text), &a, &err), STATUS_OK);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a.ss, a.len) == 0 && listen(fd, 1) == 0);
    close(fd);
}

TEST(a_stale_socket_is_replaced_a_living_one_is_not)
{
    make_folder();
    leave_stale_socket();
    begin(socket_text);
    struct listener *second = NULL;
    struct err err = ERR_INIT;
    CHECK_INT(open_at(socket_text, &second, &err), STATUS_CONFLICT);
    CHECK(second == NULL && strstr(err.text, socket_path) != NULL);
    int client = dial(listener_addr(listener));
    CHECK(client >= 0); /* the refused one did no harm */
    close(client);
    /* somebody put another socket there: it is not ours to remove */
    CHECK(unlink(socket_path) == 0);
    leave_stale_socket();
    finish();
    struct stat st;
    CHECK(lstat(socket_path, &st) == 0);
    CHECK(unlink(socket_path) == 0 && rmdir(folder) == 0);
}

TEST(a_file_that_is_no_socket_is_left_alone)
{
    make_folder();
    int fd = open(socket_path, O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0);
    close(fd);
    struct err err = ERR_INIT;
    CHECK_INT(open_at(socket_text, &listener, &err), STATUS_CONFLICT);
    CHECK(strstr(err.text, "not a socket") != NULL);
    CHECK(unlink(socket_path) == 0 && rmdir(folder) == 0);
    CHECK_INT(open_at(socket_text, &listener, &err), STATUS_NOT_FOUND);
    CHECK(listener == NULL);
}

TEST(an_inherited_socket_is_taken_over)
{
    begin("127.0.0.1:0");
    int copy = dup(listener_fd(listener));
    CHECK(fcntl(copy, F_SETFL, 0) == 0);
    listener_free(listener);
    struct err err = ERR_INIT;
    CHECK_INT(listener_adopt(copy, &listener, &err), STATUS_OK);
    CHECK_INT(listener_start(listener, loop, on_accept, &listener, &err), STATUS_OK);
    int client = dial(listener_addr(listener));
    CHECK(client >= 0);
    wait_accepted(1);
    struct listener *wrong = NULL;
    CHECK_INT(listener_adopt(client, &wrong, &err), STATUS_INVALID);
    int p[2];
    CHECK(pipe(p) == 0);
    CHECK_INT(listener_adopt(p[0], &wrong, &err), STATUS_INVALID);
    close(p[0]), close(p[1]), close(client);
    finish();
}

/* ---- no descriptors left ---- */

static int log_lines(int fd)
{
    char text[4000];
    int lines = 0;
    ssize_t n = read(fd, text, sizeof(text));
    for (ssize_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    return lines;
}

TEST(without_descriptors_clients_wait_and_the_log_speaks_once)
{
    int p[2];
    CHECK(pipe2(p, O_NONBLOCK) == 0);
    log_setup(LOG_INFO, LOG_TEXT, p[1]);
    begin("127.0.0.1:0");
    int a = dial(listener_addr(listener)), b = dial(listener_addr(listener));
    CHECK(a >= 0 && b >= 0);
    struct rlimit old, tight;
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    tight = old;
    tight.rlim_cur = (rlim_t)b + 1;
    CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    struct loop_stats before, after;
    loop_stats(loop, &before);
    run_ms(250);
    loop_stats(loop, &after);
    CHECK(listener_starved(listener));
    CHECK_INT(accepted_count, 0);
    CHECK(after.events - before.events <= 4); /* it waits between tries */
    CHECK_INT(log_lines(p[0]), 1);
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    wait_accepted(2);
    CHECK(!listener_starved(listener));
    CHECK_INT(log_lines(p[0]), 1);
    log_setup(LOG_INFO, LOG_TEXT, 2);
    close(a), close(b), close(p[0]), close(p[1]);
    finish();
}

TEST(the_fault_point_starves_it_too)
{
    struct err err = ERR_INIT;
    if (!fault_compiled_in())
        return;
    log_setup(LOG_OFF, LOG_TEXT, 2);
    begin("127.0.0.1:0");
    CHECK_INT(fault_plan(STR("listener.accept:1"), &err), STATUS_OK);
    int a = dial(listener_addr(listener));
    while (!listener_starved(listener))
        CHECK_INT(loop_run_once(loop, 100, &err), STATUS_OK);
    CHECK_INT(accepted_count, 0);
    wait_accepted(1);
    close(a);
    finish();
}
