/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rt/notify.h"
#include "test.h"

TEST(notify_does_nothing_without_a_manager)
{
    static const char *const wrong[] = {"", "x", "/", "relative", "/no/such/socket"};
    unsetenv("NOTIFY_SOCKET");
    CHECK(!notify_send("READY=1"));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        setenv("NOTIFY_SOCKET", wrong[i], 1);
        CHECK(!notify_send("READY=1"));
    }
    char longer[400];
    memset(longer, '/', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    setenv("NOTIFY_SOCKET", longer, 1);
    CHECK(!notify_send("READY=1") && !notify_reloading());
}

TEST(notify_reaches_an_abstract_socket)
{
    char name[64], got[128];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int n = snprintf(name, sizeof name, "@vitrine-test-%d", (int)getpid());
    memcpy(at.sun_path + 1, name + 1, (size_t)n - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, (socklen_t)(sizeof at.sun_family + (size_t)n)) == 0);
    setenv("NOTIFY_SOCKET", name, 1);
    CHECK(notify_send("READY=1\nSTATUS=fine"));
    ssize_t length = recv(fd, got, sizeof got, 0);
    CHECK(length > 0);
    CHECK_STR(str_make(got, (size_t)length), "READY=1\nSTATUS=fine");
    CHECK(notify_reloading());
    length = recv(fd, got, sizeof got, 0);
    CHECK(length > 0 && str_starts(str_make(got, (size_t)length), STR("RELOADING=1\nMONOTONIC_USEC=")));
    close(fd);
}

TEST(notify_watchdog_is_for_this_process)
{
    char pid[32];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    CHECK_INT(notify_watchdog_us(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    CHECK_INT(notify_watchdog_us(), 30000000);
    setenv("WATCHDOG_PID", "1", 1);
    CHECK_INT(notify_watchdog_us(), 0);
    setenv("WATCHDOG_PID", pid, 1);
    CHECK_INT(notify_watchdog_us(), 30000000);
    static const char *const wrong[] = {"", "-5", "0", "x", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        setenv("WATCHDOG_USEC", wrong[i], 1);
        CHECK_INT(notify_watchdog_us(), 0);
    }
}

TEST(notify_listen_fds_are_checked_and_forgotten)
{
    char pid[32];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    static const char *const counts[] = {"x", "-1", "65", "99999999999", ""};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDS", counts[i], 1);
        CHECK_INT(notify_listen_fds(), 0);
        CHECK(!getenv("LISTEN_FDS") && !getenv("LISTEN_PID"));
    }
    setenv("LISTEN_PID", "1", 1);
    setenv("LISTEN_FDS", "1", 1);
    CHECK_INT(notify_listen_fds(), 0);
    int fd = dup(0);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    if (fd == 3) /* else the test runner holds it */
        CHECK_INT(notify_listen_fds(), 1);
    close(fd);
}
