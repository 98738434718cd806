/* SPDX-License-Identifier: Apache-2.0 */
/* atom — rows as an Atom feed (RFC 4287). Columns: atom_id, atom_title, atom_updated; and, when they are there,
 * atom_content_html or atom_content, atom_link, atom_author_name, atom_author_uri, atom_author_email. HTML is cleaned
 * (html_clean), unless configuration trusts the HTML of this stored query. */
#include "base/limits.h"
#include "codec/html_clean.h"
#include "codec/html_escape.h"
#include "codec/when.h"
#include "site/config.h"
#include "site/render/exports.h"

static const char *const required[] = {"atom_id", "atom_title", "atom_updated"};

enum format_fit atom_fits(const str *columns, size_t count)
{
    for (size_t i = 0; i < ARRAY_LEN(required); i++)
        if (!columns_have(columns, count, required[i]))
            return FORMAT_UNFIT;
    return FORMAT_MADE_FOR;
}

/* XML 1.0 has no control characters but tab and line ends. */
static void put_xml(struct buf *out, str s)
{
    size_t done = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool bad = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
        bad |= c == 0xEF && i + 2 < s.n && (unsigned char)s.p[i + 1] == 0xBF && (unsigned char)s.p[i + 2] >= 0xBE;
        if (!bad)
            continue;
        html_escape(out, str_sub(s, done, i));
        done = i + (c == 0xEF ? 3 : 1);
        i = done - 1;
    }
    html_escape(out, str_from(s, done));
}

static void put_element(struct buf *out, const char *name, str text)
{
    buf_printf(out, "<%s>", name);
    put_xml(out, text);
    buf_printf(out, "</%s>\n", name);
}

static void put_link(struct buf *out, str href, const char *rel)
{
    if (!html_url_ok(href))
        return;
    buf_puts(out, STR("<link href=\""));
    put_xml(out, href);
    buf_printf(out, "\"%s%s%s/>\n", rel ? " rel=\"" : "", rel ? rel : "", rel ? "\"" : "");
}

static bool trusts_html(const struct export *x)
{
    struct request *rq = x->rq;
    struct value plugin = config_plugin(&rq->site->config, STR("datasette-atom"), rq->db->name, (str){0});
    struct value allow = VALUE_GET(plugin, "allow_unsafe_html_in_canned_queries");
    if (!x->is_stored)
        return false;
    if (allow.kind != VALUE_DICT)
        return value_truth(allow);
    struct value names = value_get(allow, rq->db->name);
    for (size_t i = 0; i < value_count(names); i++)
        if (value_is_text(value_at(names, i)) && str_eq(value_at(names, i).s, x->name))
            return true;
    return false;
}

static void put_content(const struct export *x, size_t row, bool trusted, struct buf *out)
{
    str html = column_text(x, row, "atom_content_html"), text = column_text(x, row, "atom_content");
    struct buf clean;
    if (html.p) {
        buf_init(&clean, LIMIT_JSON_OUTPUT);
        if (trusted)
            buf_puts(&clean, html);
        else
            html_clean(&clean, html, NULL);
        buf_puts(out, STR("<content type=\"html\">"));
        put_xml(out, buf_str(&clean));
        buf_puts(out, STR("</content>\n"));
        buf_release(&clean);
    } else if (text.p) {
        buf_puts(out, STR("<content type=\"text\">"));
        put_xml(out, text);
        buf_puts(out, STR("</content>\n"));
    }
}

static void put_author(const struct export *x, size_t row, struct buf *out)
{
    static const char *const parts[][2] = {
        {"name", "atom_author_name"}, {"uri", "atom_author_uri"}, {"email", "atom_author_email"}};
    if (!column_text(x, row, parts[0][1]).n)
        return;
    buf_puts(out, STR("<author>\n"));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        str text = column_text(x, row, parts[i][1]);
        if (text.n)
            put_element(out, parts[i][0], text);
    }
    buf_puts(out, STR("</author>\n"));
}

static void put_updated(struct buf *out, const struct when *w)
{
    buf_puts(out, STR("<updated>"));
    when_rfc3339(out, w);
    buf_puts(out, STR("</updated>\n"));
}

static str feed_title(const struct export *x)
{
    struct arena *a = x->rq->arena;
    str asked = request_arg(x->rq, "_feed_title");
    if (asked.n || x->title.n)
        return x->title.n ? x->title : asked;
    str human = x->page ? x->page->plan->human : (str){0};
    str name = x->table ? ARENA_CAT(a, x->rq->db->name, STR("/"), x->name) : x->is_stored ? x->name : x->sql;
    return human.n ? ARENA_CAT(a, name, STR(": "), human) : name;
}

static enum status read_dates(const struct export *x, struct when *ret, struct when *ret_last, struct err *err)
{
    *ret_last = (struct when){.year = 1970, .month = 1, .day = 1};
    for (size_t r = 0; r < x->row_count; r++) {
        str text = column_text(x, r, "atom_updated");
        if (!when_parse(text, &ret[r])) {
            err_set(err, STATUS_INVALID, "atom_updated of row %zu is no date: %.*s", r + 1, (int)MIN(text.n, 100u),
                    text.n ? text.p : "");
            return err_hint(err, "Dates look like 2024-05-31 or 2024-05-31T12:30:00+02:00.");
        }
        if (when_compare(&ret[r], ret_last) > 0)
            *ret_last = ret[r];
    }
    return STATUS_OK;
}

enum status atom_respond(const struct export *x, struct err *err)
{
    struct request *rq = x->rq;
    struct when *dates = ARENA_ARRAY(rq->arena, struct when, x->row_count + 1), last;
    enum status st = columns_require(x->rows, required, ARRAY_LEN(required), "An Atom feed", err);
    if (st == STATUS_OK)
        st = read_dates(x, dates, &last, err);
    if (st != STATUS_OK)
        return st;
    struct buf out;
    bool trusted = trusts_html(x);
    str self = request_absolute_url(rq, request_full_path(rq));
    buf_init(&out, LIMIT_JSON_OUTPUT);
    buf_puts(&out, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n"));
    put_element(&out, "id", self);
    put_element(&out, "title", feed_title(x));
    put_updated(&out, &last);
    put_link(&out, self, "self");
    buf_puts(&out, STR("<generator>Vitrine</generator>\n"));
    for (size_t r = 0; r < x->row_count && !out.over; r++) {
        str link = column_text(x, r, "atom_link");
        buf_puts(&out, STR("<entry>\n"));
        put_element(&out, "id", column_text(x, r, "atom_id"));
        put_element(&out, "title", column_text(x, r, "atom_title"));
        put_updated(&out, &dates[r]);
        if (link.n)
            put_link(&out, link, NULL);
        put_author(x, r, &out);
        put_content(x, r, trusted, &out);
        buf_puts(&out, STR("</entry>\n"));
    }
    buf_puts(&out, STR("</feed>\n"));
    if (out.over) {
        buf_release(&out);
        return err_set(err, STATUS_TOO_LARGE, "The feed is larger than %d MB; use a limit in the SQL",
                       LIMIT_JSON_OUTPUT >> 20);
    }
    respond_buf(rq, 200, "application/xml; charset=utf-8", &out);
    return STATUS_OK;
}
