/* SPDX-License-Identifier: Apache-2.0 */
/* ics — rows as a calendar (RFC 5545). Columns: event_name, event_dtstart; and, when they are there, event_dtend or
 * event_duration, event_description, event_location, event_url, event_uid, event_tzid.
 *
 * Times without a zone are UTC, or with event_tzid local times there. A row without a uid gets one made of its name and
 * start, so that a calendar that reads again finds the same events. */
#include "base/limits.h"
#include "codec/digest.h"
#include "codec/when.h"
#include "site/render/exports.h"

#define LINE_BYTES_MAX 75 /* section 3.1: longer lines are folded */

static const char *const required[] = {"event_name", "event_dtstart"};

enum format_fit ics_fits(const str *columns, size_t count)
{
    for (size_t i = 0; i < ARRAY_LEN(required); i++)
        if (!columns_have(columns, count, required[i]))
            return FORMAT_UNFIT;
    return FORMAT_MADE_FOR;
}

/* One content line, folded between characters. */
static void put_line(struct buf *out, str line)
{
    size_t room = LINE_BYTES_MAX;
    while (line.n > room) {
        size_t cut = room;
        while (cut > 1 && ((unsigned char)line.p[cut] & 0xC0) == 0x80)
            cut--;
        buf_puts(out, str_sub(line, 0, cut));
        buf_puts(out, STR("\r\n "));
        line = str_from(line, cut);
        room = LINE_BYTES_MAX - 1;
    }
    buf_puts(out, line);
    buf_puts(out, STR("\r\n"));
}

/* Section 3.3.11: backslash, semicolon, comma and line ends are escaped; other control characters go. */
static void put_text(struct buf *out, const char *name, str text)
{
    struct buf line;
    if (!text.p)
        return;
    buf_init(&line, LIMIT_JSON_OUTPUT);
    buf_printf(&line, "%s:", name);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\n') {
            buf_puts(&line, STR("\\n"));
        } else if (c == '\\' || c == ';' || c == ',') {
            buf_putc(&line, '\\');
            buf_putc(&line, c);
        } else if ((unsigned char)c >= 0x20 || c == '\t') {
            buf_putc(&line, c);
        }
    }
    put_line(out, buf_str(&line));
    buf_release(&line);
}

static bool is_zone_name(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], low = (char)(c | 32);
        if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') && !memchr("/_+-", c, 4))
            return false;
    }
    return s.n > 0 && s.n < 100;
}

static void put_when(struct buf *out, const char *name, const struct when *w, str zone)
{
    struct buf line;
    buf_init(&line, 512);
    bool local = w->has_time && !w->has_zone && is_zone_name(zone);
    buf_puts(&line, str_of(name));
    if (!w->has_time)
        buf_puts(&line, STR(";VALUE=DATE"));
    if (local) {
        buf_puts(&line, STR(";TZID="));
        buf_puts(&line, zone);
    }
    buf_putc(&line, ':');
    when_ical(&line, w, local);
    put_line(out, buf_str(&line));
    buf_release(&line);
}

/* Seconds, or a duration of section 3.3.6 as it is. */
static bool put_duration(struct buf *out, str text)
{
    int64_t seconds;
    struct buf line;
    bool good = true;
    text = str_trim(text);
    buf_init(&line, 128);
    if (str_to_i64(text, &seconds) && seconds >= 0) {
        buf_printf(&line, "DURATION:PT%lldS", (long long)seconds);
    } else {
        good = text.n > 2 && text.n < 40 && text.p[0] == 'P';
        for (size_t i = 1; good && i < text.n; i++)
            good = (text.p[i] >= '0' && text.p[i] <= '9') || memchr("WDTHMS", text.p[i], 6);
        buf_puts(&line, STR("DURATION:"));
        buf_puts(&line, text);
    }
    if (good)
        put_line(out, buf_str(&line));
    buf_release(&line);
    return good;
}

static enum status wrong(const char *column, size_t row, str text, const char *what, const char *hint, struct err *err)
{
    err_set(err, STATUS_INVALID, "%s of row %zu is no %s: %.*s", column, row + 1, what, (int)MIN(text.n, 100u),
            text.n ? text.p : "");
    return err_hint(err, "%s", hint);
}

#define DATE_HINT "Dates look like 2024-05-31 or 2024-05-31T12:30:00+02:00."

static enum status put_times(const struct export *x, size_t row, struct buf *out, struct when *ret_start,
                             struct err *err)
{
    struct when end;
    str zone = column_text(x, row, "event_tzid"), start = column_text(x, row, "event_dtstart"),
        stop = column_text(x, row, "event_dtend"), duration = column_text(x, row, "event_duration");
    if (!when_parse(start, ret_start))
        return wrong("event_dtstart", row, start, "date", DATE_HINT, err);
    put_when(out, "DTSTART", ret_start, zone);
    if (stop.n && !when_parse(stop, &end))
        return wrong("event_dtend", row, stop, "date", DATE_HINT, err);
    if (stop.n)
        put_when(out, "DTEND", &end, zone);
    else if (duration.n && !put_duration(out, duration))
        return wrong("event_duration", row, duration, "duration", "It is seconds, or like PT1H30M.", err);
    return STATUS_OK;
}

static enum status put_event(const struct export *x, size_t row, struct buf *out, struct err *err)
{
    struct arena *a = x->rq->arena;
    struct when start;
    struct buf stamp;
    str name = column_text(x, row, "event_name"), uid = column_text(x, row, "event_uid");
    buf_puts(out, STR("BEGIN:VEVENT\r\n"));
    enum status st = put_times(x, row, out, &start, err);
    if (st != STATUS_OK)
        return st;
    if (!uid.n) {
        char hex[DIGEST_HEX_MAX];
        digest_sha1_hex(ARENA_CAT(a, name, STR("\n"), column_text(x, row, "event_dtstart")), hex);
        uid = ARENA_CAT(a, str_of(hex), STR("@"), x->rq->http->host);
    }
    buf_init(&stamp, 64); /* required; the start, so that the same rows make the same bytes */
    start.has_time = true;
    buf_puts(&stamp, STR("DTSTAMP:"));
    when_ical(&stamp, &start, false);
    put_line(out, buf_str(&stamp));
    buf_release(&stamp);
    put_text(out, "UID", uid);
    put_text(out, "SUMMARY", name.p ? name : STR(""));
    put_text(out, "DESCRIPTION", column_text(x, row, "event_description"));
    put_text(out, "LOCATION", column_text(x, row, "event_location"));
    put_text(out, "URL", column_text(x, row, "event_url"));
    buf_puts(out, STR("END:VEVENT\r\n"));
    return STATUS_OK;
}

static str calendar_name(const struct export *x)
{
    struct arena *a = x->rq->arena;
    str asked = request_arg(x->rq, "_ics_title");
    str name = x->title.n ? x->title : asked.n ? asked : x->table || x->is_stored ? x->name : (str){0};
    str human = x->page ? x->page->plan->human : (str){0};
    return human.n && !x->title.n ? ARENA_CAT(a, name, STR(": "), human) : name;
}

enum status ics_respond(const struct export *x, struct err *err)
{
    struct request *rq = x->rq;
    struct buf out;
    enum status st = columns_require(x->rows, required, ARRAY_LEN(required), "A calendar", err);
    if (st != STATUS_OK)
        return st;
    str name = calendar_name(x);
    buf_init(&out, LIMIT_JSON_OUTPUT);
    buf_puts(&out, STR("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Vitrine//vitrine//EN\r\n"));
    if (name.n)
        put_text(&out, "X-WR-CALNAME", name);
    for (size_t r = 0; st == STATUS_OK && r < x->row_count; r++)
        st = put_event(x, r, &out, err);
    buf_puts(&out, STR("END:VCALENDAR\r\n"));
    if (st == STATUS_OK && out.over)
        st = err_set(err, STATUS_TOO_LARGE, "The calendar is larger than %d MB; use a limit in the SQL",
                     LIMIT_JSON_OUTPUT >> 20);
    if (st == STATUS_OK)
        respond_buf(rq, 200, request_arg(rq, "_plain").n ? "text/plain; charset=utf-8" : "text/calendar; charset=utf-8",
                    &out);
    buf_release(&out);
    return st;
}
