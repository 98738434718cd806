/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "test.h"

static int fds[2];
static char said[1 << 20];

static void log_begin(enum log_level level, enum log_format format)
{
    CHECK(pipe(fds) == 0);
    log_setup(level, format, fds[1]);
}

/* What was logged since, without the 24 bytes of time where `whole` is not asked for. */
static str log_end(void)
{
    size_t n = 0;
    (void)close(fds[1]);
    for (ssize_t got; (got = read(fds[0], said + n, sizeof(said) - n)) > 0;)
        n += (size_t)got;
    (void)close(fds[0]);
    log_setup(LOG_INFO, LOG_TEXT, 2);
    return str_make(said, n);
}

TEST(log_text_lines)
{
    log_begin(LOG_INFO, LOG_TEXT);
    log_line(LOG_DEBUG, "http", "not shown");
    LOG_WITH(LOG_WARN, "http", STR("slow"), LOG_STR("path", STR("/a b")), LOG_I64("ms", -12),
             LOG_STR("x", STR("plain")), LOG_STR("empty", STR("")));
    str got = log_end();
    CHECK_STR(str_from(got, 24), " WARN  http: slow path=\"/a b\" ms=-12 x=plain empty=\"\"\n");
    CHECK(got.p[4] == '-' && got.p[23] == 'Z');
}

TEST(log_json_lines)
{
    log_begin(LOG_DEBUG, LOG_JSON);
    LOG_WITH(LOG_ERROR, "db", STR("bad \"file\"\n"), LOG_STR("path", STR("/\x01\xFF\\")), LOG_I64("n", 5));
    str got = log_end();
    CHECK_STR(str_from(got, 34), ",\"level\":\"error\",\"component\":\"db\",\"message\":\"bad \\\"file\\\"\\n\","
                                 "\"path\":\"/\\u0001\xEF\xBF\xBD\\\\\",\"n\":5}\n");
    CHECK(str_starts(got, STR("{\"time\":\"")));
}

TEST(log_lines_cannot_be_forged)
{
    static const enum log_format formats[] = {LOG_TEXT, LOG_JSON};
    static const char nasty[] = "x\r\n2026 ERROR forged\x1B[31m\x7F\xC2\x85\xE2\x80\xA8\xE2\x80\xAE\xFF\x00y";
    for (size_t i = 0; i < 2; i++) {
        log_begin(LOG_INFO, formats[i]);
        LOG_WITH(LOG_INFO, "http", str_make(nasty, sizeof(nasty) - 1),
                 LOG_STR("v", str_make(nasty, sizeof(nasty) - 1)));
        str got = log_end();
        CHECK_INT(str_find_char(got, '\n'), got.n - 1);
        CHECK(utf8_valid(got));
        for (size_t k = 0; k + 1 < got.n; k++)
            CHECK((unsigned char)got.p[k] >= 0x20 && got.p[k] != 0x7F);
        CHECK(str_find(got, STR("\xC2\x85")) == STR_NPOS && str_find(got, STR("\xE2\x80\xAE")) == STR_NPOS);
    }
}

TEST(log_long_lines_are_cut_but_whole)
{
    static char text[10000];
    for (size_t size = LIMIT_LOG_LINE - 150; size < LIMIT_LOG_LINE + 20; size++) {
        memset(text, 'x', size);
        log_begin(LOG_INFO, LOG_JSON);
        LOG_WITH(LOG_INFO, "http", str_make(text, size), LOG_STR("key", STR("value")), LOG_I64("n", 123456789));
        str got = log_end();
        CHECK(got.n <= LIMIT_LOG_LINE);
        CHECK(str_ends(got, STR("}\n")));
        bool all = str_find(got, STR(",\"key\":\"value\",\"n\":123456789}")) != STR_NPOS;
        CHECK(all != (str_find(got, STR(",\"cut\":true}")) != STR_NPOS));
        size_t quotes = 0;
        for (size_t i = 0; i < got.n; i++)
            quotes += got.p[i] == '"';
        CHECK_INT(quotes % 2, 0);
    }
    log_begin(LOG_INFO, LOG_TEXT);
    log_line(LOG_INFO, "http", "%s", text);
    str got = log_end();
    CHECK(got.n <= LIMIT_LOG_LINE && str_ends(got, STR("...\n")));
}

TEST(log_never_waits_for_a_full_pipe)
{
    log_begin(LOG_INFO, LOG_TEXT);
    uint64_t before = log_dropped();
    for (int i = 0; i < 3000;
         i++) /* about 300 KB into a pipe of 64 KB that nobody reads: a wait would end in a timeout */
        log_line(LOG_INFO, "test", "line %d %s", i, "................................................................");
    CHECK(log_dropped() > before);
    str got = log_end();
    CHECK(got.n > 30000 && str_ends(got, STR("\n")));
    size_t lines = 0;
    for (size_t i = 0; i < got.n; i++)
        lines += got.p[i] == '\n';
    CHECK_INT(lines + (log_dropped() - before), 3000); /* every line is either whole in the pipe or counted */
}

TEST(log_survives_a_reader_that_left)
{
    log_begin(LOG_INFO, LOG_TEXT);
    (void)close(fds[0]);
    uint64_t before = log_dropped();
    log_line(LOG_INFO, "test", "nobody hears");
    CHECK_INT(log_dropped() - before, 1);
    (void)close(fds[1]);
    log_line(LOG_INFO, "test", "no descriptor");
    CHECK_INT(log_dropped() - before, 2);
    log_setup(LOG_INFO, LOG_TEXT, 2);
}

TEST(log_survives_a_full_disk)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    CHECK(full >= 0);
    log_setup(LOG_INFO, LOG_TEXT, full);
    uint64_t before = log_dropped();
    log_line(LOG_INFO, "test", "x");
    CHECK_INT(log_dropped() - before, 1);
    log_setup(LOG_INFO, LOG_TEXT, 2);
    (void)close(full);
}

static void *shout(void *arg)
{
    for (int i = 0; i < 200; i++)
        log_line(LOG_INFO, "thread", "%s%d end", (const char *)arg, i);
    return NULL;
}

TEST(log_threads_do_not_mix_lines)
{
    static char names[4][2] = {"a", "b", "c", "d"};
    pthread_t threads[4];
    log_begin(LOG_INFO, LOG_TEXT);
    for (size_t i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, shout, names[i]) == 0);
    for (size_t i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    str rest = log_end(), line;
    size_t lines = 0;
    while (rest.n) {
        CHECK(str_cut(rest, '\n', &line, &rest));
        CHECK(line.p[23] == 'Z' && str_ends(line, STR(" end")));
        lines++;
    }
    CHECK_INT(lines, 800);
}

TEST(log_levels)
{
    enum log_level level = LOG_ERROR;
    CHECK(log_level_parse(STR("Warning"), &level) && level == LOG_WARN);
    CHECK(log_level_parse(STR("off"), &level) && level == LOG_OFF);
    CHECK(!log_level_parse(STR("loud"), &level) && level == LOG_OFF);
    log_begin(LOG_OFF, LOG_TEXT);
    log_line(LOG_ERROR, "x", "silent");
    log_line(LOG_OFF, "x", "no line has this level");
    CHECK_INT(log_end().n, 0);
}
