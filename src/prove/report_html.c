/* SPDX-License-Identifier: Apache-2.0 */
/* report_html — one file that shows the run: verdict, table, and a chart of the longest time of each moment
 * (logarithmic) with a line for each change and a mark for each fault. SVG inside, no script, light and dark. */
#include <math.h>

#include "codec/html_escape.h"
#include "prove/report.h"

#define CHART_WIDTH  960
#define CHART_HEIGHT 280
#define LEFT         64
#define BOTTOM       32
#define TOP          12
#define MANY_CHANGES 60 /* from here on they are short marks at the bottom */
#define DECADES      6  /* 0.01 ms .. 10 s */

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--paper:#fff;--line:#d5dbe3;--main:#0b66c3;"
    "--change:#8a94a3;--bad:#b3261e;--good:#12703a}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#a4afbd;--paper:#12161c;--line:#323b47;"
    "--main:#6db3ff;--change:#6a7686;--bad:#ff8a80;--good:#6fd39a}}"
    "body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:64rem;"
    "margin:0 auto;padding:1rem}h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.15rem}"
    ".verdict{font-weight:600}.good{color:var(--good)}.bad{color:var(--bad)}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
    "th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}"
    "th:first-child{text-align:left}tbody th{font-weight:400}thead th{color:var(--soft);font-weight:600}"
    "svg{width:100%;min-width:40rem;height:auto}p{overflow-wrap:anywhere}svg text{fill:var(--soft);font:12px "
    "system-ui,sans-serif}"
    ".grid{stroke:var(--line)}.time{fill:none;stroke:var(--main);stroke-width:1.5}"
    ".change{stroke:var(--change);stroke-dasharray:3 3;opacity:.7}.fault{fill:var(--bad)}p.note{color:var(--soft)}";

static double at_x(int64_t us, int64_t all_us)
{
    return LEFT + (CHART_WIDTH - LEFT - 8) * (double)us / (double)MAX(all_us, 1);
}

static double at_y(int64_t us)
{
    double decade = log10((double)MAX(us, 10) / 10.0);
    return CHART_HEIGHT - BOTTOM - (CHART_HEIGHT - BOTTOM - TOP) * CLAMP(decade / DECADES, 0.0, 1.0);
}

static void grid(const struct prove_result *r, struct buf *out)
{
    static const char *const names[DECADES + 1] = {"0.01 ms", "0.1 ms", "1 ms", "10 ms", "100 ms", "1 s", "10 s"};
    int64_t us = 10;
    for (int i = 0; i <= DECADES; i++, us *= 10)
        buf_printf(out,
                   "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                   "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
                   LEFT, CHART_WIDTH - 8, at_y(us), at_y(us), LEFT - 8, at_y(us) + 4, names[i]);
    for (int i = 0; i <= 4; i++)
        buf_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%.1f s</text>",
                   at_x(r->duration_us * i / 4, r->duration_us), CHART_HEIGHT - 10,
                   i == 0   ? "start"
                   : i == 4 ? "end"
                            : "middle",
                   (double)r->duration_us * i / 4e6);
}

static void chart(const struct prove_result *r, struct buf *out)
{
    buf_printf(out,
               "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Longest answer of each moment, in "
               "milliseconds, over time\">",
               CHART_WIDTH, CHART_HEIGHT);
    grid(r, out);
    int change_top = r->change_count > MANY_CHANGES ? CHART_HEIGHT - BOTTOM - 10 : TOP;
    for (uint32_t i = 0; i < r->change_count; i++)
        buf_printf(out, "<line class=\"change\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>",
                   at_x(r->changes[i].began_us, r->duration_us), at_x(r->changes[i].began_us, r->duration_us),
                   change_top, CHART_HEIGHT - BOTTOM);
    buf_printf(out, "<path class=\"time\" d=\"");
    bool pen = false;
    for (size_t i = 0; i < r->tick_count; i++) {
        const struct prove_tick *t = &r->ticks[i];
        if (!t->answered)
            continue;
        buf_printf(out, "%c%.1f %.1f", pen ? 'L' : 'M', at_x((int64_t)i * r->tick_us, r->duration_us), at_y(t->max_us));
        pen = true;
    }
    buf_printf(out, "\"/>");
    for (size_t i = 0; i < r->tick_count; i++)
        if (r->ticks[i].faults)
            buf_printf(out, "<circle class=\"fault\" cx=\"%.1f\" cy=\"%d\" r=\"4\"><title>%u faults</title></circle>",
                       at_x((int64_t)i * r->tick_us, r->duration_us), CHART_HEIGHT - BOTTOM, r->ticks[i].faults);
    buf_printf(out, "</svg>");
}

static void count_row(const struct prove_tally *t, const char *name, bool counted, struct buf *out)
{
    static const enum prove_outcome shown[] = {PROVE_LOST, PROVE_TRUNCATED, PROVE_WRONG, PROVE_REORDERED,
                                               PROVE_REFUSED};
    buf_printf(out, "<tr><th scope=\"row\">%s</th><td>%llu</td>", name, (unsigned long long)prove_sent(t));
    for (size_t i = 0; i < ARRAY_LEN(shown); i++)
        buf_printf(out, "<td%s>%llu</td>", t->outcomes[shown[i]] ? " class=\"bad\"" : "",
                   (unsigned long long)t->outcomes[shown[i]]);
    if (counted)
        buf_printf(out, "<td%s>%llu</td>", t->doubled ? " class=\"bad\"" : "", (unsigned long long)t->doubled);
    else
        buf_printf(out, "<td>not counted</td>");
    buf_printf(out, "</tr>\n");
}

static void time_row(const struct prove_tally *t, const char *name, bool counted, struct buf *out)
{
    (void)counted;
    buf_printf(out, "<tr><th scope=\"row\">%s</th><td>%llu</td><td>%llu</td><td>%llu</td>", name,
               (unsigned long long)t->opened, (unsigned long long)t->closed_idle, (unsigned long long)t->told_to_close);
    buf_printf(out, "<td>%.2f</td><td>%.2f</td><td>%.2f</td><td>%.2f</td></tr>\n",
               (double)histogram_percentile_us(&t->all, 0.5) / 1e3,
               (double)histogram_percentile_us(&t->all, 0.99) / 1e3, (double)t->all.max_us / 1e3,
               (double)report_added_p99_us(t) / 1e3);
}

static void table(const struct prove_result *r, const char *title, const char *const *heads, size_t count,
                  void (*row)(const struct prove_tally *t, const char *name, bool counted, struct buf *out),
                  struct buf *out)
{
    buf_printf(out,
               "<h2>%s</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">"
               "<table><thead><tr>",
               title, title);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "<th scope=\"col\">%s</th>", heads[i]);
    buf_printf(out, "</tr></thead><tbody>\n");
    for (int k = 0; k < PROVE_KINDS; k++)
        if (prove_sent(&r->tallies[k]))
            row(&r->tallies[k], prove_kind_names[k], r->counted, out);
    buf_printf(out, "</tbody></table></div>\n");
}

void report_html(const struct prove_result *r, const struct report_about *about, struct buf *out)
{
    static const char *const count_heads[] = {"connections", "requests",  "lost",    "truncated",
                                              "wrong",       "reordered", "refused", "doubled"};
    static const char *const time_heads[] = {"connections", "opened", "closed idle", "told to close",
                                             "p50 ms",      "p99 ms", "longest ms",  "added to p99"};
    struct report_changes c;
    report_changes(r, &c);
    buf_printf(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                    "content=\"width=device-width,initial-scale=1\"><title>");
    html_escape(out, str_of(about->title));
    buf_printf(out, "</title><style>%s</style></head><body><main>\n<h1>", style);
    html_escape(out, str_of(about->title));
    buf_printf(out, "</h1>\n<p class=\"verdict %s\">%s</p>\n<p>", r->clean ? "good" : "bad",
               r->clean         ? "Clean: nothing lost, doubled, truncated, wrong, reordered or refused."
               : r->interrupted ? "Interrupted: nothing is proved."
                                : "Not clean.");
    html_escape(out, str_of(about->url));
    buf_printf(out,
               ", %.1f s, %u changes, %u of them failed.</p>\n<h2>Longest answer of each moment</h2>\n"
               "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Chart\">",
               (double)r->duration_us / 1e6, c.done, c.failed);
    chart(r, out);
    buf_printf(out, "</div>\n<p class=\"note\">Broken lines: a change began. Dots: requests that failed.</p>\n");
    table(r, "Requests", count_heads, ARRAY_LEN(count_heads), count_row, out);
    table(r, "Connections and times", time_heads, ARRAY_LEN(time_heads), time_row, out);
    for (int k = 0; k < PROVE_KINDS; k++) {
        if (!r->tallies[k].fault[0])
            continue;
        buf_printf(out, "<p>%s, first fault: ", prove_kind_names[k]);
        html_escape(out, str_of(r->tallies[k].fault));
        buf_printf(out, "</p>\n");
    }
    buf_printf(out, "</main></body></html>\n");
}
