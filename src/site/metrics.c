/* SPDX-License-Identifier: Apache-2.0 */
/* metrics — what was served, without a lock.
 *
 * Only the loop's thread counts requests; the page is made on a worker. So a counter has one writer, and relaxed atomic
 * loads and stores are enough. Series are found in a table of SLOTS places by label, method and status; what finds none
 * (somebody makes up statuses or the table is full) counts under OTHER, so that nothing is lost and nothing grows.
 *
 * The formats differ little: OpenMetrics wants a family's name without _total, and an end mark. Sources: Prometheus
 * "Exposition formats" 0.0.4, OpenMetrics 1.0.0. Tests: tests/site/test_operations.py. */
#include "site/metrics.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/version.h"
#include "db/db_version.h"
#include "site/app.h"
#include "site/cache.h"
#include "site/ready.h"
#include "site/route.h"

#define SLOTS 4096 /* power of two */

static const int64_t bucket_us[] = {1000,   2500,   5000,    10000,   25000,   50000,   100000,
                                    250000, 500000, 1000000, 2500000, 5000000, 10000000};
static const char *const bucket_text[] = {"0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
                                          "0.25",  "0.5",    "1",     "2.5",  "5",     "10"};

struct histogram {
    atomic_ullong buckets[ARRAY_LEN(bucket_us) + 1], sum_us;
};

struct slot {
    atomic_uint key; /* 0 = free */
    atomic_ullong count;
};

struct metrics {
    struct slot slots[SLOTS];
    unsigned used;
    atomic_ullong other;
    struct histogram *durations; /* one a label */
    size_t label_count;
};

struct metrics *metrics_new(void)
{
    struct metrics *m = MEM_NEW(struct metrics);
    m->label_count = METRICS_ROUTES + route_count;
    m->durations = mem_array(m->label_count, sizeof *m->durations);
    return m;
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    free(m->durations);
    free(m);
}

static void add(atomic_ullong *v, uint64_t n)
{
    atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n, memory_order_relaxed);
}

static atomic_ullong *series(struct metrics *m, unsigned key)
{
    unsigned at = (key * 2654435761u) >> 20;
    for (;; at++) {
        struct slot *s = &m->slots[at & (SLOTS - 1)];
        unsigned has = atomic_load_explicit(&s->key, memory_order_relaxed);
        if (has == key)
            return &s->count;
        if (has)
            continue;
        if (m->used >= SLOTS / 2)
            return &m->other;
        m->used++;
        atomic_store_explicit(&s->key, key, memory_order_release);
        return &s->count;
    }
}

void metrics_count(struct metrics *m, const struct http_access *a)
{
    unsigned label = a->label < m->label_count ? a->label : METRICS_NOWHERE;
    unsigned code = a->status ? (unsigned)a->status : 499; /* nginx's number for a client that left */
    unsigned key = (label << 16 | (unsigned)a->request->method << 12 | code) + 1;
    add(series(m, key), 1);
    struct histogram *h = &m->durations[label];
    size_t b = 0;
    while (b < ARRAY_LEN(bucket_us) && a->duration_us > bucket_us[b])
        b++;
    add(&h->buckets[b], 1);
    add(&h->sum_us, (uint64_t)MAX(a->duration_us, 0));
}

/* ---- the page ---- */

struct page {
    const struct site *site;
    const struct http_stats *http;
    struct buf *out;
    enum metric m; /* the row that is being written */
};

static void put_seconds(struct buf *out, uint64_t us)
{
    buf_printf(out, "%llu.%06llu\n", (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
}

static void sample(struct page *p, const char *labels, uint64_t value)
{
    const char *name = metric_rows[p->m].name;
    buf_printf(p->out, labels[0] ? "%s{%s} " : "%s%s ", name, labels);
    buf_put_u64(p->out, value);
    buf_putc(p->out, '\n');
}

/* "/:db/:table[.*]" without the part about extensions */
static str label_text(unsigned label)
{
    static const char *const names[] = {"refused", "static", "none"};
    if (label < METRICS_ROUTES)
        return str_of(names[label]);
    str pattern = str_of(routes[label - METRICS_ROUTES].pattern);
    size_t open = str_find_char(pattern, '[');
    return open == STR_NPOS ? pattern : str_sub(pattern, 0, open);
}

static void put_requests(struct page *p)
{
    const struct metrics *m = p->site->shared->metrics;
    for (size_t i = 0; i < SLOTS; i++) {
        unsigned key = atomic_load_explicit(&m->slots[i].key, memory_order_acquire);
        if (!key)
            continue;
        key--;
        const char *method = http_method_name((enum http_method)(key >> 12 & 15));
        buf_printf(p->out, "http_requests_total{method=\"%s\",code=\"%u\",route=\"%.*s\"} ", *method ? method : "other",
                   key & 4095, STR_ARG(label_text(key >> 16)));
        buf_put_u64(p->out, atomic_load_explicit(&m->slots[i].count, memory_order_relaxed));
        buf_putc(p->out, '\n');
    }
    uint64_t other = atomic_load_explicit(&m->other, memory_order_relaxed);
    if (other)
        sample(p, "method=\"other\",code=\"other\",route=\"other\"", other);
}

static void put_durations(struct page *p)
{
    static const char name[] = "http_request_duration_seconds";
    const struct metrics *m = p->site->shared->metrics;
    for (unsigned i = 0; i < m->label_count; i++) {
        const struct histogram *h = &m->durations[i];
        str route = label_text(i);
        uint64_t counts[ARRAY_LEN(bucket_us) + 1], all = 0, sum = 0;
        for (size_t b = 0; b < ARRAY_LEN(counts); b++)
            all += counts[b] = atomic_load_explicit(&h->buckets[b], memory_order_relaxed);
        if (!all)
            continue;
        for (size_t b = 0; b < ARRAY_LEN(counts); b++) {
            sum += counts[b];
            buf_printf(p->out, "%s_bucket{route=\"%.*s\",le=\"%s\"} %llu\n", name, STR_ARG(route),
                       b < ARRAY_LEN(bucket_text) ? bucket_text[b] : "+Inf", (unsigned long long)sum);
        }
        buf_printf(p->out, "%s_sum{route=\"%.*s\"} ", name, STR_ARG(route));
        put_seconds(p->out, atomic_load_explicit(&h->sum_us, memory_order_relaxed));
        buf_printf(p->out, "%s_count{route=\"%.*s\"} %llu\n", name, STR_ARG(route), (unsigned long long)all);
    }
}

static uint64_t lane_value(enum metric m, const struct pool_lane_stats *s)
{
    switch (m) {
    case METRIC_QUEUE_LENGTH:
        return s->queued;
    case METRIC_QUEUE_LIMIT:
        return s->queue_max;
    case METRIC_WORKERS:
        return s->threads;
    case METRIC_WORKERS_BUSY:
        return s->running;
    case METRIC_JOBS:
        return s->done;
    default:
        return s->refused;
    }
}

static void put_lanes(struct page *p)
{
    for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
        struct pool_lane_stats s;
        char label[64];
        pool_lane_stats(p->site->pool, lane, &s);
        snprintf(label, sizeof label, "lane=\"%s\"", site_lane_names[lane]);
        sample(p, label, lane_value(p->m, &s));
    }
}

static void put_connections(struct page *p)
{
    const struct http_stats *h = p->http;
    uint32_t known = h->idle + h->handling + h->streaming;
    sample(p, "state=\"idle\"", h->idle);
    sample(p, "state=\"handling\"", h->handling);
    sample(p, "state=\"streaming\"", h->streaming);
    sample(p, "state=\"other\"", h->connections > known ? h->connections - known : 0);
}

static uint64_t open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    uint64_t n = 0;
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n > 3 ? n - 3 : 0; /* ".", ".." and the listing itself */
}

/* The n-th number of /proc/self/statm: 0 = pages of virtual memory, 1 = resident ones. */
static uint64_t memory_bytes(int nth)
{
    unsigned long long pages[2] = {0, 0};
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%llu %llu", &pages[0], &pages[1]) != 2)
        pages[0] = pages[1] = 0;
    if (f)
        fclose(f);
    return pages[nth] * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t thread_count(void)
{
    DIR *d = opendir("/proc/self/task");
    uint64_t n = 0;
    struct dirent *e;
    while (d && (e = readdir(d)))
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static void put_build(struct page *p)
{
    buf_printf(p->out, "vitrine_build_info{version=\"%s\",commit=\"%s\",sqlite=\"%s\"} 1\n", version_text(),
               version_commit(), db_version_text());
}

static void put_cpu(struct page *p)
{
    struct rusage u;
    uint64_t us = 0;
    if (getrusage(RUSAGE_SELF, &u) == 0)
        us = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
             (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    buf_puts(p->out, STR("process_cpu_seconds_total "));
    put_seconds(p->out, us);
}

static void put_start(struct page *p)
{
    buf_puts(p->out, STR("process_start_time_seconds "));
    put_seconds(p->out, (uint64_t)p->site->shared->started_unix_us);
}

static uint64_t single(const struct page *p)
{
    struct answer_cache_stats cache = {0};
    struct rlimit files = {0};
    switch (p->m) {
    case METRIC_HTTP_IN:
        return p->http->bytes_in;
    case METRIC_HTTP_OUT:
        return p->http->bytes_out;
    case METRIC_HTTP_ACCEPTED:
        return p->http->accepted;
    case METRIC_HTTP_REFUSED:
        return p->http->refused;
    case METRIC_HTTP_TIMEOUTS:
        return p->http->timeouts;
    case METRIC_HTTP_GONE:
        return p->http->gone;
    case METRIC_CACHE_ENTRIES:
    case METRIC_CACHE_BYTES:
        if (p->site->cache)
            answer_cache_stats(p->site->cache, &cache);
        return p->m == METRIC_CACHE_BYTES ? cache.bytes : cache.entries;
    case METRIC_DATABASES:
        return p->site->published_count;
    case METRIC_LOG_DROPPED:
        return log_dropped();
    case METRIC_READY:
        return site_is_ready(p->site, NULL, NULL);
    case METRIC_PROCESS_FDS:
        return open_files();
    case METRIC_PROCESS_MAX_FDS:
        return getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : 0;
    case METRIC_PROCESS_VIRTUAL:
        return memory_bytes(0);
    case METRIC_PROCESS_RESIDENT:
        return memory_bytes(1);
    case METRIC_PROCESS_THREADS:
        return thread_count();
    default:
        return metric_sum(p->m);
    }
}

static void put_row(struct page *p)
{
    static void (*const special[METRIC_COUNT])(struct page *) = {
        [METRIC_HTTP_REQUESTS] = put_requests,
        [METRIC_HTTP_DURATION] = put_durations,
        [METRIC_HTTP_CONNECTIONS] = put_connections,
        [METRIC_QUEUE_LENGTH] = put_lanes,
        [METRIC_QUEUE_LIMIT] = put_lanes,
        [METRIC_WORKERS] = put_lanes,
        [METRIC_WORKERS_BUSY] = put_lanes,
        [METRIC_JOBS] = put_lanes,
        [METRIC_REJECTED] = put_lanes,
        [METRIC_BUILD] = put_build,
        [METRIC_PROCESS_CPU] = put_cpu,
        [METRIC_PROCESS_START] = put_start,
    };
    const struct metric_row *row = &metric_rows[p->m];
    if (special[p->m]) {
        special[p->m](p);
    } else if (row->kind == METRIC_SECONDS) {
        buf_printf(p->out, "%s ", row->name);
        put_seconds(p->out, metric_sum(p->m));
    } else {
        sample(p, row->kind == METRIC_COUNTER ? row->labels : "", single(p));
    }
}

void metrics_write(const struct site *s, const struct http_stats *http, bool open, struct buf *out)
{
    static const char *const types[] = {[METRIC_COUNTER] = "counter",
                                        [METRIC_SECONDS] = "counter",
                                        [METRIC_SERIES] = "counter",
                                        [METRIC_GAUGE] = "gauge",
                                        [METRIC_HISTOGRAM] = "histogram"};
    struct page p = {.site = s, .http = http, .out = out};
    for (p.m = 0; p.m < METRIC_COUNT; p.m++) {
        const struct metric_row *row = &metric_rows[p.m];
        str family = str_of(row->name);
        if (p.m && strcmp(metric_rows[p.m - 1].name, row->name) == 0) {
            put_row(&p);
            continue;
        }
        if (open && str_ends(family, STR("_total")))
            family.n -= sizeof "_total" - 1;
        buf_printf(out, "# HELP %.*s %s\n# TYPE %.*s %s\n", STR_ARG(family), row->help, STR_ARG(family),
                   types[row->kind]);
        put_row(&p);
    }
    if (open)
        buf_puts(out, STR("# EOF\n"));
}
