/* SPDX-License-Identifier: Apache-2.0 */
/* log — one event, one line, one write(2).
 *
 * Why so careful: stderr is often a pipe to a collector that may stall, die or fill its disk. A stalled pipe must not
 * stop a server, so each line first asks poll(2) whether the target takes it now. A pipe that polls writable takes
 * PIPE_BUF bytes without blocking and never splits them, hence lines of at most LIMIT_LOG_LINE bytes. What is not taken
 * is dropped and counted.
 *
 * Text:  2026-01-31T23:59:59.123Z INFO  http: request path=/x.json status=200 note="with spaces"
 * JSON:  {"time":"2026-01-31T23:59:59.123Z","level":"info","component":"http","message":"request","path":"/x.json",...}
 *
 * Invariants: (1) a line never holds a raw control byte or ill-formed UTF-8: an outsider's text cannot forge a line or
 * drive a terminal. (2) a cut line is still a whole line (and whole JSON, with "cut":true). (3) settings are atomics:
 * reading them costs nothing, changing them is safe at any time. Tests: tests/unit/base/test_log.c. */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"

static atomic_int log_level_now = LOG_INFO;
static atomic_int log_format_now = LOG_TEXT;
static atomic_int log_fd = STDERR_FILENO;
static atomic_uint_fast64_t dropped;
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER; /* keeps poll and write of one line together */
static bool torn; /* under write_lock: the last line went out in part, the next one starts on a line of its own */

static const struct {
    const char *text, *json;
} levels[] = {{"DEBUG", "debug"}, {"INFO ", "info"}, {"WARN ", "warn"}, {"ERROR", "error"}};

/* A line being built. Room for the end (quote, "cut":true, brace, newline) is kept back, so a cut line can be closed.
 */
#define LINE_RESERVE 32
struct line {
    size_t n;
    bool cut;
    char p[LIMIT_LOG_LINE];
};

void log_setup(enum log_level level, enum log_format format, int fd)
{
    struct sigaction old;
    atomic_store_explicit(&log_level_now, (int)level, memory_order_relaxed);
    atomic_store_explicit(&log_format_now, (int)format, memory_order_relaxed);
    atomic_store_explicit(&log_fd, fd, memory_order_relaxed);
    /* A reader that went away must show as EPIPE, not end the process. */
    if (sigaction(SIGPIPE, NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_DFL)
        (void)signal(SIGPIPE, SIG_IGN);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
    return atomic_load_explicit(&dropped, memory_order_relaxed);
}

static bool line_put(struct line *l, const char *p, size_t n)
{
    if (l->cut || n > sizeof(l->p) - LINE_RESERVE - l->n) {
        l->cut = true;
        return false;
    }
    memcpy(l->p + l->n, p, n);
    l->n += n;
    return true;
}

static void line_puts(struct line *l, const char *text)
{
    (void)line_put(l, text, strlen(text));
}

/* One code point, escaped for the format; controls, line separators and bidirectional overrides as \uXXXX. */
static bool line_put_code(struct line *l, uint32_t code)
{
    char text[8];
    size_t n;
    if (code == '"' || code == '\\') {
        text[0] = '\\';
        text[1] = (char)code;
        n = 2;
    } else if (code == '\n' || code == '\r' || code == '\t') {
        text[0] = '\\';
        text[1] = code == '\n' ? 'n' : code == '\r' ? 'r' : 't';
        n = 2;
    } else if (code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x2028 && code <= 0x202E) ||
               (code >= 0x2066 && code <= 0x2069)) {
        n = (size_t)snprintf(text, sizeof(text), "\\u%04x", (unsigned)code);
    } else {
        n = utf8_encode(code == UTF8_BAD ? UTF8_REPLACEMENT : code, text);
    }
    return line_put(l, text, n);
}

static void line_put_escaped(struct line *l, str s)
{
    size_t len;
    while (s.n) {
        if (!line_put_code(l, utf8_decode(s, &len)))
            return;
        s = str_from(s, len);
    }
}

/* As a line's own text: quotes and backslashes stay as they are, the rest is escaped. */
static void line_put_message(struct line *l, str s)
{
    size_t len;
    while (s.n) {
        uint32_t code = utf8_decode(s, &len);
        bool plain = code == '"' || code == '\\';
        if (!(plain ? line_put(l, s.p, 1) : line_put_code(l, code)))
            return;
        s = str_from(s, len);
    }
}

static bool needs_quotes(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7F)
            return true;
    }
    return s.n == 0;
}

/* ,"key":"value" — or nothing at all when not even its frame fits. */
static void json_pair(struct line *l, const char *key, str value)
{
    size_t before = l->n;
    if (!line_put(l, ",\"", 2))
        return;
    line_put_escaped(l, str_of(key));
    line_puts(l, "\":\"");
    if (l->cut) {
        l->n = before;
        return;
    }
    line_put_escaped(l, value);
    if (l->cut)
        l->p[l->n++] = '"'; /* from the reserve */
    else if (!line_put(l, "\"", 1))
        l->p[l->n++] = '"';
}

static void json_number(struct line *l, const char *key, int64_t value)
{
    char text[24];
    size_t before = l->n;
    line_puts(l, ",\"");
    line_put_escaped(l, str_of(key));
    (void)line_put(l, text, (size_t)snprintf(text, sizeof(text), "\":%lld", (long long)value));
    if (l->cut)
        l->n = before;
}

static void build_json(struct line *l, enum log_level level, const char *component, str message,
                       const struct log_field *fields, size_t count)
{
    char now[CLOCK_ISO_LEN + 1];
    clock_format_iso_ms(clock_unix_us(), now);
    line_puts(l, "{\"time\":\"");
    line_puts(l, now);
    line_puts(l, "\",\"level\":\"");
    line_puts(l, levels[level].json);
    line_puts(l, "\"");
    json_pair(l, "component", str_of(component));
    json_pair(l, "message", message);
    for (size_t i = 0; i < count && !l->cut; i++) {
        if (fields[i].s.p)
            json_pair(l, fields[i].key, fields[i].s);
        else
            json_number(l, fields[i].key, fields[i].i);
    }
    str end = l->cut ? STR(",\"cut\":true}\n") : STR("}\n");
    memcpy(l->p + l->n, end.p, end.n);
    l->n += end.n;
}

static void build_text(struct line *l, enum log_level level, const char *component, str message,
                       const struct log_field *fields, size_t count)
{
    char text[24];
    char now[CLOCK_ISO_LEN + 1];
    clock_format_iso_ms(clock_unix_us(), now);
    line_puts(l, now);
    line_puts(l, " ");
    line_puts(l, levels[level].text);
    line_puts(l, " ");
    line_puts(l, component);
    line_puts(l, ": ");
    line_put_message(l, message);
    for (size_t i = 0; i < count && !l->cut; i++) {
        line_puts(l, " ");
        line_puts(l, fields[i].key);
        line_puts(l, "=");
        if (!fields[i].s.p) {
            (void)line_put(l, text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)fields[i].i));
        } else if (needs_quotes(fields[i].s)) {
            line_puts(l, "\"");
            line_put_escaped(l, fields[i].s);
            line_puts(l, "\"");
        } else {
            (void)line_put(l, fields[i].s.p, fields[i].s.n);
        }
    }
    str end = l->cut ? STR("...\n") : STR("\n");
    memcpy(l->p + l->n, end.p, end.n);
    l->n += end.n;
}

/* Writes what the target takes at once; never waits. Returns bytes taken. */
static size_t write_now(int fd, const char *p, size_t n)
{
    size_t done = 0;
    while (done < n) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        int polled = poll(&ready, 1, 0);
        if (polled < 0 && errno == EINTR)
            continue;
        if (polled != 1 || !(ready.revents & POLLOUT))
            break;
        ssize_t put = write(fd, p + done, n - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            break;
        done += (size_t)put;
    }
    return done;
}

static void line_write(const struct line *l)
{
    int fd = atomic_load_explicit(&log_fd, memory_order_relaxed), saved = errno;
    (void)pthread_mutex_lock(&write_lock);
    if (torn && write_now(fd, "\n", 1) == 1)
        torn = false;
    size_t done = torn ? 0 : write_now(fd, l->p, l->n);
    torn = torn || (done > 0 && done < l->n);
    (void)pthread_mutex_unlock(&write_lock);
    if (done < l->n)
        atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
    errno = saved;
}

void log_fields(enum log_level level, const char *component, str message, const struct log_field *fields, size_t count)
{
    if (level >= LOG_OFF || !log_enabled(level))
        return;
    struct line l;
    l.n = 0;
    l.cut = false;
    if (atomic_load_explicit(&log_format_now, memory_order_relaxed) == LOG_JSON)
        build_json(&l, level, component, message, fields, count);
    else
        build_text(&l, level, component, message, fields, count);
    line_write(&l);
}

void log_line(enum log_level level, const char *component, const char *fmt, ...)
{
    if (level >= LOG_OFF || !log_enabled(level))
        return;
    char text[LIMIT_LOG_LINE];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_fields(level, component, str_make(text, n < 0 ? 0 : MIN((size_t)n, sizeof(text) - 1)), NULL, 0);
}

bool log_level_parse(str s, enum log_level *ret)
{
    static const struct {
        const char *name;
        enum log_level level;
    } names[] = {{"debug", LOG_DEBUG},  {"info", LOG_INFO},   {"warn", LOG_WARN},
                 {"warning", LOG_WARN}, {"error", LOG_ERROR}, {"off", LOG_OFF}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(s, str_of(names[i].name))) {
            *ret = names[i].level;
            return true;
        }
    return false;
}
