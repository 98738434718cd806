/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/report.h"

#include <time.h>

#include "base/clock.h"
#include "codec/jwrite.h"

void report_changes(const struct prove_result *r, struct report_changes *ret)
{
    *ret = (struct report_changes){0};
    for (uint32_t i = 0; i < r->change_count; i++) {
        int64_t us = r->changes[i].ended_us - r->changes[i].began_us;
        ret->failed += r->changes[i].wait_status != 0;
        ret->longest_us = MAX(ret->longest_us, us);
        ret->shortest_us = ret->done ? MIN(ret->shortest_us, us) : us;
        ret->all_us += us;
        ret->done++;
    }
}

int64_t report_added_p99_us(const struct prove_tally *t)
{
    if (!t->around.count || !t->quiet.count)
        return 0;
    return histogram_percentile_us(&t->around, 0.99) - histogram_percentile_us(&t->quiet, 0.99);
}

static double ms(int64_t us)
{
    return (double)us / 1000.0;
}

static const struct {
    const char *name;
    double part;
} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};

static void text_tally(const struct prove_tally *t, const char *name, bool counted, struct buf *out)
{
    const uint64_t *o = t->outcomes;
    buf_printf(out, "  %-10s %9llu %5llu %7llu %9llu %5llu %9llu %7llu", name, (unsigned long long)prove_sent(t),
               (unsigned long long)o[PROVE_LOST], (unsigned long long)t->doubled,
               (unsigned long long)o[PROVE_TRUNCATED], (unsigned long long)o[PROVE_WRONG],
               (unsigned long long)o[PROVE_REORDERED], (unsigned long long)o[PROVE_REFUSED]);
    buf_printf(out, " %7llu %6llu %6llu %8.2f %8.2f %8.2f %8.2f\n", (unsigned long long)t->opened,
               (unsigned long long)t->closed_idle, (unsigned long long)t->told_to_close,
               ms(histogram_percentile_us(&t->all, 0.5)), ms(histogram_percentile_us(&t->all, 0.99)), ms(t->all.max_us),
               ms(report_added_p99_us(t)));
    if (counted && (t->unseen || t->executed_lost))
        buf_printf(out, "             answered without being executed: %llu; executed without an answer: %llu\n",
                   (unsigned long long)t->unseen, (unsigned long long)t->executed_lost);
    if (t->resumed)
        buf_printf(out, "             TLS sessions resumed: %llu of %llu\n", (unsigned long long)t->resumed,
                   (unsigned long long)t->opened);
    if (t->fault[0])
        buf_printf(out, "             first fault: %s\n", t->fault);
}

void report_text(const struct prove_result *r, const struct report_about *about, struct buf *out)
{
    struct report_changes c;
    report_changes(r, &c);
    buf_printf(out, "%s  %s  %.1f s\n\n", about->title, about->url, (double)r->duration_us / 1e6);
    buf_printf(out, "  %-10s %9s %5s %7s %9s %5s %9s %7s %7s %6s %6s %8s %8s %8s %8s\n", "kind", "requests", "lost",
               "doubled", "truncated", "wrong", "reordered", "refused", "opened", "closed", "told", "p50 ms", "p99 ms",
               "max ms", "added");
    for (int k = 0; k < PROVE_KINDS; k++)
        if (prove_sent(&r->tallies[k]))
            text_tally(&r->tallies[k], prove_kind_names[k], r->counted, out);
    if (r->config->change_count)
        buf_printf(out, "\n  %u changes, %u failed, %.1f ms each on average, %.1f ms the longest\n", c.done, c.failed,
                   c.done ? ms(c.all_us) / c.done : 0.0, ms(c.longest_us));
    if (!r->counted)
        buf_printf(out, "  Executions were not counted: that needs vitrine prove app behind the address, and --app.\n");
    if (!r->config->interval_ms)
        buf_printf(
            out, "  Times are measured from the moment of sending (--interval 0): waiting clients are not in them.\n");
    buf_printf(out, "\n%s\n",
               r->clean         ? "clean: nothing lost, doubled, truncated, wrong, reordered or refused"
               : r->interrupted ? "interrupted: nothing is proved"
                                : "NOT clean");
}

static void put_u64(struct jwrite *w, const char *key, uint64_t n)
{
    jwrite_key(w, str_of(key));
    jwrite_i64(w, (int64_t)n);
}

static void put_ms(struct jwrite *w, const char *key, int64_t us)
{
    jwrite_key(w, str_of(key));
    jwrite_f64(w, ms(us));
}

static void put_str(struct jwrite *w, const char *key, const char *text)
{
    jwrite_key(w, str_of(key));
    jwrite_string(w, str_of(text));
}

static void put_histogram(struct jwrite *w, const char *key, const struct histogram *h)
{
    jwrite_key(w, str_of(key));
    jwrite_object_begin(w);
    put_u64(w, "count", h->count);
    for (size_t i = 0; i < ARRAY_LEN(percentiles); i++)
        put_ms(w, percentiles[i].name, histogram_percentile_us(h, percentiles[i].part));
    put_ms(w, "max", h->max_us);
    jwrite_object_end(w);
}

static void json_tally(struct jwrite *w, const struct prove_tally *t, const char *kind, bool counted)
{
    jwrite_object_begin(w);
    put_str(w, "kind", kind);
    put_u64(w, "requests", prove_sent(t));
    for (int o = PROVE_OK; o < PROVE_OUTCOMES; o++)
        put_u64(w, prove_outcome_names[o], t->outcomes[o]);
    if (counted) {
        put_u64(w, "doubled", t->doubled);
        put_u64(w, "unseen", t->unseen);
        put_u64(w, "executed_lost", t->executed_lost);
    }
    put_u64(w, "connections_opened", t->opened);
    put_u64(w, "connections_resumed", t->resumed);
    put_u64(w, "connections_closed_idle", t->closed_idle);
    put_u64(w, "connections_told_to_close", t->told_to_close);
    put_histogram(w, "latency_ms", &t->all);
    put_histogram(w, "latency_quiet_ms", &t->quiet);
    put_histogram(w, "latency_around_changes_ms", &t->around);
    put_ms(w, "added_p99_ms", report_added_p99_us(t));
    if (t->fault[0])
        put_str(w, "first_fault", t->fault);
    jwrite_object_end(w);
}

void report_json(const struct prove_result *r, const struct report_about *about, struct buf *out)
{
    struct jwrite w;
    struct report_changes c;
    char now[CLOCK_ISO_LEN + 1];
    report_changes(r, &c);
    clock_format_iso_ms(clock_unix_us(), now);
    jwrite_init(&w, out, 0);
    jwrite_object_begin(&w);
    put_str(&w, "title", about->title);
    put_str(&w, "url", about->url);
    put_str(&w, "time", now);
    jwrite_key(&w, STR("clean"));
    jwrite_bool(&w, r->clean);
    jwrite_key(&w, STR("counted_on_both_sides"));
    jwrite_bool(&w, r->counted);
    jwrite_key(&w, STR("interrupted"));
    jwrite_bool(&w, r->interrupted);
    put_ms(&w, "duration_ms", r->duration_us);
    jwrite_key(&w, STR("changes"));
    jwrite_object_begin(&w);
    put_u64(&w, "done", c.done);
    put_u64(&w, "failed", c.failed);
    put_ms(&w, "average_ms", c.done ? c.all_us / c.done : 0);
    put_ms(&w, "longest_ms", c.longest_us);
    jwrite_object_end(&w);
    jwrite_key(&w, STR("kinds"));
    jwrite_array_begin(&w);
    for (int k = 0; k < PROVE_KINDS; k++)
        if (prove_sent(&r->tallies[k]))
            json_tally(&w, &r->tallies[k], prove_kind_names[k], r->counted);
    jwrite_array_end(&w);
    jwrite_object_end(&w);
    buf_putc(out, '\n');
}
