/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/2 connection of a client, frame by frame: requests, windows, GOAWAY, and each of its limits. */
#include "http/h2.h"

#include "base/limits.h"
#include "test.h"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

struct seen {
    struct h2_session *session;
    struct h2_stream *last;
    int requests, gone, status;
    char head[400];
    size_t offer; /* bytes of an answer */
    bool last_piece;
};

static void on_request(void *arg, struct h2_stream *s, str head, int http_status)
{
    struct seen *seen = arg;
    seen->requests++;
    seen->last = s;
    seen->status = http_status;
    snprintf(seen->head, sizeof(seen->head), "%.*s", STR_ARG(head));
    s->owner = seen;
}
static void on_body(void *owner)
{
    CHECK(owner != NULL);
}
static size_t on_waiting(void *owner, bool *ret_last)
{
    struct seen *seen = owner;
    *ret_last = seen->last_piece;
    return seen->offer;
}
static void on_take(void *owner, char *to, size_t n)
{
    struct seen *seen = owner;
    memset(to, 'd', n);
    seen->offer -= n;
}
static void on_gone(void *owner)
{
    ((struct seen *)owner)->gone++;
}
static const struct h2_handler handler = {on_request, on_body, on_waiting, on_take, on_gone};

static void frame(struct buf *b, int type, int flags, uint32_t id, const void *p, size_t n)
{
    const uint8_t head[9] = {(uint8_t)(n >> 16),  (uint8_t)(n >> 8),  (uint8_t)n,
                             (uint8_t)type,       (uint8_t)flags,     (uint8_t)(id >> 24),
                             (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    buf_put(b, head, 9);
    buf_put(b, p, n);
}

static void field(struct buf *b, const char *name,
                  const char *value) /* literal, not indexed (RFC 7541 section 6.2.2) */
{
    buf_putc(b, 0);
    buf_putc(b, (char)strlen(name));
    buf_puts(b, str_of(name));
    buf_putc(b, (char)strlen(value));
    buf_puts(b, str_of(value));
}

static void request(struct buf *b, uint32_t id, int flags)
{
    struct buf block;
    buf_init(&block, 1000);
    field(&block, ":method", flags & END_STREAM ? "GET" : "POST");
    field(&block, ":scheme", "http");
    field(&block, ":path", "/p");
    field(&block, ":authority", "a");
    frame(b, HEADERS, flags | END_HEADERS, id, block.p, block.n);
    buf_release(&block);
}

static void begin(struct seen *seen, struct buf *b)
{
    const struct h2_limits limits = {.streams = LIMIT_H2_STREAMS, .head_bytes = 4000};
    *seen = (struct seen){.last_piece = true};
    seen->session = h2_new(&limits, &handler, seen);
    buf_init(b, 64 << 20);
    buf_puts(b, STR(H2_PREFACE));
    frame(b, SETTINGS, 0, 0, "", 0);
}

/* What is in `b` goes in. */
static enum status give(struct seen *seen, struct buf *b, int64_t now_us)
{
    struct err err = ERR_INIT;
    enum status st = h2_receive(seen->session, buf_str(b), now_us, &err);
    buf_clear(b);
    return st;
}

/* What comes out: how many frames of a type, and the last 4 bytes of the last one (of the error in GOAWAY, its code).
 */
static int count(struct seen *seen, int type, uint32_t *ret_value)
{
    struct buf out;
    int n = 0;
    buf_init(&out, 64 << 20);
    for (size_t before = 1; before != out.n;) {
        before = out.n;
        (void)!h2_fill(seen->session, &out, out.n + 65536, NULL);
    }
    for (size_t at = 0; at + 9 <= out.n;) {
        const uint8_t *p = (const uint8_t *)out.p + at;
        size_t length = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        at += 9 + length;
        CHECK(at <= out.n);
        if (p[3] != type)
            continue;
        n++;
        if (ret_value && length >= 4) {
            const uint8_t *v = p + 9 + (type == GOAWAY ? 4 : length - 4);
            *ret_value = (uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 | (uint32_t)v[2] << 8 | v[3];
        }
    }
    buf_release(&out);
    return n;
}

static void end(struct seen *seen, struct buf *b)
{
    h2_free(seen->session);
    buf_release(b);
}

static void expect_calm(struct seen *seen, struct buf *b, int64_t now_us)
{
    uint32_t code = 0;
    CHECK_INT(give(seen, b, now_us), STATUS_PROTOCOL);
    CHECK_INT(count(seen, GOAWAY, &code), 1);
    CHECK_INT((int)code, 11); /* ENHANCE_YOUR_CALM */
    CHECK(h2_over(seen->session));
    end(seen, b);
}

TEST(a_request_and_its_answer)
{
    struct seen seen;
    struct buf b;
    begin(&seen, &b);
    request(&b, 1, END_STREAM);
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK_INT(seen.requests, 1);
    CHECK_STR(str_of(seen.head), "GET /p HTTP/1.1\r\nhost: a\r\n\r\n");
    seen.offer = 40000;
    h2_answer(seen.last, 200, &(struct http_header){STR("X-Name"), STR("v")}, 1, true);
    CHECK_INT(count(&seen, DATA, NULL), 3);
    CHECK_INT((int)seen.offer, 0);
    CHECK_INT(seen.gone, 1); /* its last frame closed it */
    CHECK(!h2_streams(seen.session));
    end(&seen, &b);
}

TEST(bodies_wait_within_windows)
{
    struct seen seen;
    struct buf b;
    static char zeros[16384], into[1 << 20];
    uint32_t code = 0, grown = 0;
    begin(&seen, &b);
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK_INT(count(&seen, SETTINGS, NULL), 2);
    frame(&b, SETTINGS, ACK, 0, "", 0); /* from now on our window counts */
    request(&b, 1, 0);
    for (int i = 0; i < LIMIT_H2_WINDOW / (int)sizeof(zeros); i++)
        frame(&b, DATA, 0, 1, zeros, sizeof(zeros));
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK_INT(count(&seen, RST_STREAM, NULL), 0);
    CHECK_INT((int)h2_read(seen.last, into, sizeof(into)), LIMIT_H2_WINDOW);
    CHECK_INT(count(&seen, WINDOW_UPDATE, NULL), 1);
    frame(&b, DATA, 0, 1, zeros, 10);
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK_INT((int)h2_read(seen.last, into, sizeof(into)), 10); /* the reader keeps up: the window grows */
    CHECK_INT(count(&seen, WINDOW_UPDATE, &grown), 1);
    CHECK(grown >= LIMIT_H2_WINDOW_GROWN - LIMIT_H2_WINDOW && grown <= LIMIT_H2_WINDOW_GROWN);
    request(&b, 3, 0);
    for (int i = 0; i <= LIMIT_H2_WINDOW / (int)sizeof(zeros); i++) /* one too many */
        frame(&b, DATA, 0, 3, zeros, sizeof(zeros));
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK(count(&seen, RST_STREAM, &code) >= 1);
    CHECK_INT((int)code, 3); /* FLOW_CONTROL_ERROR */
    CHECK_INT(seen.gone, 1);
    CHECK(h2_memory(seen.session) < LIMIT_H2_CONNECTION_WINDOW);
    end(&seen, &b);
}

TEST(the_window_of_a_connection)
{
    struct seen seen;
    struct buf b;
    static char zeros[16384];
    uint32_t code = 0;
    begin(&seen, &b);
    for (uint32_t id = 1; id < 2 * (LIMIT_H2_CONNECTION_WINDOW / LIMIT_H2_WINDOW) + 2; id += 2) {
        request(&b, id, 0);
        for (int i = 0; i < LIMIT_H2_WINDOW / (int)sizeof(zeros); i++)
            frame(&b, DATA, 0, id, zeros, sizeof(zeros));
    }
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK(count(&seen, GOAWAY, &code) == 1);
    CHECK_INT((int)code, 3);
    end(&seen, &b);
}

TEST(more_streams_than_allowed_are_refused)
{
    struct seen seen;
    struct buf b;
    uint32_t code = 0;
    begin(&seen, &b);
    for (uint32_t i = 0; i <= LIMIT_H2_STREAMS; i++)
        request(&b, 2 * i + 1, END_STREAM);
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK_INT(seen.requests, LIMIT_H2_STREAMS);
    CHECK_INT(count(&seen, RST_STREAM, &code), 1);
    CHECK_INT((int)code, 7); /* REFUSED_STREAM */
    end(&seen, &b);
}

TEST(rapid_reset_is_ended)
{
    struct seen seen;
    struct buf b;
    begin(&seen, &b);
    uint32_t id = 1;
    for (int i = 0; i < LIMIT_H2_RESETS; i++, id += 2) {
        request(&b, id, END_STREAM);
        frame(&b, RST_STREAM, 0, id, "\0\0\0\x08", 4);
    }
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK_INT(seen.gone, LIMIT_H2_RESETS);
    for (int i = 0; i < LIMIT_H2_RESETS_RATE; i++, id += 2) { /* a second later some are fine again */
        request(&b, id, END_STREAM);
        frame(&b, RST_STREAM, 0, id, "\0\0\0\x08", 4);
    }
    CHECK_INT(give(&seen, &b, 1000001), STATUS_OK);
    request(&b, id, END_STREAM);
    frame(&b, RST_STREAM, 0, id, "\0\0\0\x08", 4);
    expect_calm(&seen, &b, 1000001);
}

TEST(streams_that_are_broken_on_purpose_count_as_reset)
{
    struct seen seen;
    struct buf b;
    begin(&seen, &b);
    for (uint32_t i = 0; i <= LIMIT_H2_RESETS; i++) { /* a window that is too large makes the server reset it */
        request(&b, 2 * i + 1, END_STREAM);
        frame(&b, WINDOW_UPDATE, 0, 2 * i + 1, "\x7f\xff\xff\xff", 4);
    }
    expect_calm(&seen, &b, 1);
}

TEST(frames_that_carry_nothing)
{
    struct seen seen;
    struct buf b;
    begin(&seen, &b);
    for (int i = 0; i < LIMIT_H2_CONTROL - 1; i++)
        frame(&b, WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    for (int i = 0; i < LIMIT_H2_CONTROL_RATE; i++)
        frame(&b, PRIORITY, 0, 1, "\0\0\0\0\1", 5);
    CHECK_INT(give(&seen, &b, 1000001), STATUS_OK);
    frame(&b, PING, ACK, 0, "12345678", 8);
    expect_calm(&seen, &b, 1000001);

    begin(&seen, &b); /* empty DATA */
    request(&b, 1, 0);
    for (int i = 0; i < LIMIT_H2_CONTROL; i++)
        frame(&b, DATA, 0, 1, "", 0);
    expect_calm(&seen, &b, 1);
}

TEST(a_client_that_reads_may_update_its_windows)
{
    struct seen seen;
    struct buf b;
    begin(&seen, &b);
    request(&b, 1, END_STREAM);
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    seen.last_piece = false;
    h2_answer(seen.last, 200, NULL, 0, true);
    for (int i = 0; i < LIMIT_H2_CONTROL; i++) {
        seen.offer = 3 * LIMIT_H2_CONTROL_BYTES; /* at least two frames more than the two it sends */
        h2_resume(seen.last);
        CHECK_INT(count(&seen, DATA, NULL), 1);
        CHECK_INT((int)seen.offer, 0);
        frame(&b, WINDOW_UPDATE, 0, 0, "\0\0\x6\0", 4);
        frame(&b, WINDOW_UPDATE, 0, 1, "\0\0\x6\0", 4);
        CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    }
    end(&seen, &b);
}

TEST(answers_to_pings_do_not_pile_up)
{
    struct seen seen;
    struct buf b;
    begin(&seen, &b);
    for (int i = 0; i <= LIMIT_H2_ACKS; i++) /* nothing is written meanwhile */
        frame(&b, PING, 0, 0, "12345678", 8);
    expect_calm(&seen, &b, 1);
}

TEST(settings_with_too_many_entries)
{
    struct seen seen;
    struct buf b;
    static char entries[(LIMIT_H2_SETTINGS + 1) * 6];
    uint32_t code = 0;
    for (int i = 0; i <= LIMIT_H2_SETTINGS; i++)
        entries[i * 6 + 1] = 1;
    begin(&seen, &b);
    frame(&b, SETTINGS, 0, 0, entries, sizeof(entries) - 6);
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK_INT(count(&seen, GOAWAY, NULL), 0);
    frame(&b, SETTINGS, 0, 0, entries, sizeof(entries));
    (void)!give(&seen, &b, 1);
    CHECK_INT(count(&seen, GOAWAY, &code), 1);
    CHECK_INT((int)code, 11);
    end(&seen, &b);
}

TEST(a_head_without_end)
{
    struct seen seen;
    struct buf b;
    begin(&seen, &b);
    frame(&b, HEADERS, END_STREAM, 1, "\x82", 1); /* :method GET */
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK(h2_in_head(seen.session));
    for (int i = 0; i <= LIMIT_H2_CONTINUATIONS; i++)
        frame(&b, CONTINUATION, 0, 1, "", 0);
    CHECK_INT(give(&seen, &b, 1), STATUS_PROTOCOL);
    CHECK_INT(count(&seen, GOAWAY, NULL), 1);
    CHECK_INT(seen.requests, 0);
    end(&seen, &b);
}

/* One field of 4 kB goes into the table, then a byte stands for it again and again. */
TEST(a_bomb_of_header_fields)
{
    struct seen seen;
    struct buf b, block;
    static char value[3900], again[16000];
    memset(value, 'a', sizeof(value));
    memset(again, 0xbe, sizeof(again)); /* index 62: the newest of the table */
    buf_init(&block, 100000);
    buf_puts(&block, STR("\x82\x86\x84\x41\x01\x61\x40\x01x"));
    buf_puts(&block, STR("\x7f\xbd\x1d")); /* 3900 as an integer with a prefix of 7 bits */
    buf_put(&block, value, sizeof(value));
    begin(&seen, &b);
    size_t plain = block.n;
    buf_put(&block, again, LIMIT_H2_HEAD_DECODED / 4000 - 2); /* large, and only refused */
    frame(&b, HEADERS, END_STREAM | END_HEADERS, 1, block.p, block.n);
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK_INT(seen.requests, 1);
    CHECK_INT(seen.status, 431);
    block.n = plain;
    buf_put(&block, again, 12000);
    frame(&b, HEADERS, END_STREAM | END_HEADERS, 3, block.p, block.n);
    buf_release(&block);
    expect_calm(&seen, &b, 1);
}

TEST(a_stream_that_was_passed_over)
{
    struct seen seen;
    struct buf b;
    uint32_t code = 0;
    begin(&seen, &b);
    request(&b, 5, END_STREAM);
    request(&b, 7, END_STREAM);
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    request(&b, 3, END_STREAM);
    CHECK_INT(give(&seen, &b, 1), STATUS_PROTOCOL);
    CHECK_INT(count(&seen, GOAWAY, &code), 1);
    CHECK_INT((int)code, 1);
    end(&seen, &b);
    begin(&seen, &b); /* the last number there is */
    request(&b, INT32_MAX, END_STREAM);
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK_INT(seen.requests, 1);
    end(&seen, &b);
}

TEST(going_away_in_two_steps)
{
    struct seen seen;
    struct buf b;
    begin(&seen, &b);
    request(&b, 1, END_STREAM);
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    h2_shutdown(seen.session);
    CHECK_INT(count(&seen, GOAWAY, NULL), 1);
    request(&b, 3, END_STREAM); /* sent before the client knew */
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK_INT(seen.requests, 2);
    frame(&b, PING, ACK, 0, "shutdown", 8);
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK_INT(count(&seen, GOAWAY, NULL), 1);
    request(&b, 5, END_STREAM); /* and this one after */
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK_INT(seen.requests, 2);
    CHECK(!h2_over(seen.session));
    while (h2_streams(seen.session)) {
        struct h2_stream *s = h2_streams(seen.session);
        h2_answer(s, 204, NULL, 0, false);
        h2_finish(s);
        CHECK_INT(count(&seen, HEADERS, NULL), 1);
    }
    CHECK(h2_over(seen.session));
    CHECK_INT(seen.gone, 0);
    end(&seen, &b);
}

TEST(an_answer_before_the_end_of_the_request)
{
    struct seen seen;
    struct buf b;
    uint32_t code = 99;
    begin(&seen, &b);
    request(&b, 1, 0);
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    h2_answer(seen.last, 413, NULL, 0, false);
    h2_finish(seen.last);
    CHECK_INT(count(&seen, RST_STREAM, &code), 1);
    CHECK_INT((int)code, 0); /* NO_ERROR: stop sending */
    frame(&b, DATA, END_STREAM, 1, "late", 4);
    CHECK_INT(give(&seen, &b, 1), STATUS_OK);
    CHECK_INT(count(&seen, GOAWAY, NULL), 0);
    end(&seen, &b);
}

#if defined(VITRINE_FAULTS) && VITRINE_FAULTS
TEST(memory_of_a_connection)
{
    struct seen seen;
    struct buf b;
    static char zeros[16384];
    setenv("VITRINE_LIMITS", "H2_MEMORY=100000", 1);
    CHECK_INT((int)LIMIT_H2_MEMORY, 100000);
    begin(&seen, &b);
    for (uint32_t id = 1; id < 5; id += 2) {
        request(&b, id, 0);
        for (int i = 0; i < 4; i++)
            frame(&b, DATA, 0, id, zeros, sizeof(zeros));
    }
    expect_calm(&seen, &b, 1);
}
#endif
