/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/page.h"

#include "base/clock.h"
#include "codec/html_escape.h"
#include "codec/jwrite.h"
#include "http/accept.h"
#include "http/message.h"

/* The colours are those of the pages of `vitrine serve` (web/static/app.css), with the same contrasts. The page asks
 * nobody for anything: whatever is behind the edge does not answer now. It does not reload itself: who reads it slowly
 * would lose it (WCAG 2.2.1). */
static const char page_style[] =
    ":root{color-scheme:light dark;--page:#fbfbfa;--surface:#fff;--line:#e0e3e2;--field:#7d878c;--text:#1d2327;"
    "--muted:#566168;--accent:#0a5a9c;--on-accent:#fff;--focus:#b3540a;--mark:#7d5300}"
    "@media(prefers-color-scheme:dark){:root{--page:#14181b;--surface:#1b2024;--line:#343c43;--field:#79858e;"
    "--text:#e5e9ec;--muted:#a3aeb7;--accent:#84bdf0;--on-accent:#10202e;--focus:#f0a860;--mark:#efc766}}"
    "*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;"
    "background:var(--page);color:var(--text);font:1.0625rem/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,"
    "\"Noto Sans\",\"Liberation Sans\",Helvetica,Arial,sans-serif}"
    "main{width:100%;max-width:36rem;padding:clamp(1.25rem,5vw,2.25rem);background:var(--surface);"
    "border:1px solid var(--line);border-left:.45rem solid var(--mark);border-radius:6px}"
    ".status{margin:0;color:var(--muted);font-size:.875rem;font-variant-numeric:tabular-nums}"
    "h1{margin:.15rem 0 .75rem;font-size:clamp(1.4rem,5vw,1.75rem);line-height:1.25;overflow-wrap:anywhere}"
    "p{margin:.6rem 0 0}.message{white-space:pre-line;overflow-wrap:anywhere}.times{color:var(--muted)}"
    ".next{margin-top:1.25rem}a{display:inline-block;min-height:44px;padding:.55rem 1.1rem;border-radius:6px;"
    "background:var(--accent);color:var(--on-accent);font-weight:550;text-decoration:none}"
    "a:focus-visible{outline:3px solid var(--focus);outline-offset:3px}";

enum page_form page_form_for(str accept)
{
    if (accept_names_type(accept, STR("text/html")))
        return PAGE_HTML;
    return accept_names_type(accept, STR("application/json")) ? PAGE_JSON : PAGE_TEXT;
}

str page_type(enum page_form form)
{
    return form == PAGE_HTML   ? STR("text/html; charset=utf-8")
           : form == PAGE_JSON ? STR("application/json; charset=utf-8")
                               : STR("text/plain; charset=utf-8");
}

static const char *title_of(const struct edge_page *p)
{
    return p->title ? p->title : http_reason(p->status);
}

/* "5 seconds", "1 minute", "3 hours" */
static void put_span(struct buf *out, int64_t s)
{
    static const struct {
        int64_t below, unit;
        const char *name;
    } units[] = {{120, 1, "second"}, {7200, 60, "minute"}, {172800, 3600, "hour"}, {INT64_MAX, 86400, "day"}};
    size_t i = 0;
    while (s >= units[i].below)
        i++;
    int64_t n = s / units[i].unit;
    buf_printf(out, "%lld %s%s", (long long)n, units[i].name, n == 1 ? "" : "s");
}

/* "So since 20:15 UTC, 3 minutes ago. The next try is in 5 seconds." */
static void put_times(struct buf *out, const struct edge_page *p, int64_t now_unix_s, bool html)
{
    char when[CLOCK_ISO_LEN + 1];
    if (p->since_unix_s) {
        clock_format_iso_ms(p->since_unix_s * 1000000, when);
        buf_puts(out, STR("So since "));
        if (html)
            buf_printf(out, "<time datetime=\"%s\">", when);
        buf_printf(out, "%.5s UTC", when + 11);
        if (html)
            buf_puts(out, STR("</time>"));
        buf_puts(out, STR(", "));
        put_span(out, MAX(0, now_unix_s - p->since_unix_s));
        buf_puts(out, STR(" ago."));
    }
    if (p->retry_s) {
        buf_puts(out, p->since_unix_s ? STR(" The next try is in ") : STR("Try again in "));
        put_span(out, p->retry_s);
        buf_putc(out, '.');
    }
}

static void put_html(struct buf *out, const struct edge_page *p, int64_t now_unix_s)
{
    buf_printf(out,
               "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title>"
               "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
               "<meta name=\"robots\" content=\"noindex\"><style>%s</style></head>\n"
               "<body><main><p class=\"status\">%d %s</p><h1>%s</h1>\n",
               title_of(p), page_style, p->status, http_reason(p->status), title_of(p));
    if (p->message.n) {
        buf_puts(out, STR("<p class=\"message\">"));
        html_escape(out, p->message);
        buf_puts(out, STR("</p>\n"));
    }
    if (*p->text)
        buf_printf(out, "<p>%s</p>\n", p->text);
    if (p->since_unix_s || p->retry_s) {
        buf_puts(out, STR("<p class=\"times\">"));
        put_times(out, p, now_unix_s, true);
        buf_puts(out, STR("</p>\n"));
    }
    if (*p->remedy)
        buf_printf(out, "<p>%s</p>\n", p->remedy);
    if (p->status >= 500 || p->status == 429)
        buf_puts(out, STR("<p class=\"next\"><a href=\"\">Try again</a></p>\n"));
    buf_puts(out, STR("</main></body></html>\n"));
}

static void put_json(struct buf *out, const struct edge_page *p)
{
    struct jwrite j;
    char when[CLOCK_ISO_LEN + 1];
    jwrite_init(&j, out, JWRITE_COMPACT | JWRITE_UTF8);
    jwrite_object_begin(&j);
    jwrite_key(&j, STR("ok"));
    jwrite_bool(&j, false);
    jwrite_key(&j, STR("status"));
    jwrite_i64(&j, p->status);
    jwrite_key(&j, STR("title"));
    jwrite_string(&j, str_of(title_of(p)));
    jwrite_key(&j, STR("error"));
    jwrite_string(&j, p->message.n ? p->message : *p->text ? str_of(p->text) : str_of(title_of(p)));
    if (*p->remedy) {
        jwrite_key(&j, STR("hint"));
        jwrite_string(&j, str_of(p->remedy));
    }
    if (p->since_unix_s) {
        clock_format_iso_ms(p->since_unix_s * 1000000, when);
        jwrite_key(&j, STR("since"));
        jwrite_string(&j, str_of(when));
    }
    if (p->retry_s) {
        jwrite_key(&j, STR("retry_after"));
        jwrite_i64(&j, p->retry_s);
    }
    jwrite_object_end(&j);
    buf_putc(out, '\n');
}

static void put_text(struct buf *out, const struct edge_page *p, int64_t now_unix_s)
{
    buf_printf(out, "%d %s", p->status, title_of(p));
    if (p->message.n)
        buf_printf(out, "\n%.*s", STR_ARG(p->message));
    if (*p->text)
        buf_printf(out, "\n%s", p->text);
    if (p->since_unix_s || p->retry_s) {
        buf_putc(out, '\n');
        put_times(out, p, now_unix_s, false);
    }
    if (*p->remedy)
        buf_printf(out, "\n%s", p->remedy);
    buf_putc(out, '\n');
}

void page_put(struct buf *out, const struct edge_page *p, enum page_form form, int64_t now_unix_s)
{
    if (form == PAGE_HTML)
        put_html(out, p, now_unix_s);
    else if (form == PAGE_JSON)
        put_json(out, p);
    else
        put_text(out, p, now_unix_s);
}
