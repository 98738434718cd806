/* SPDX-License-Identifier: Apache-2.0 */
/* metrics: the counters of every app and the state of every instance, for Prometheus. */
#include "edge/certs.h"

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP vitrine_edge_%s %s\n# TYPE vitrine_edge_%s %s\n", name, help, name, type);
}

static const struct {
    enum edge_counter counter;
    const char *name, *help;
} app_counters[] = {
    {EDGE_REQUESTS, "requests_total", "Requests that are over."},
    {EDGE_GONE, "clients_gone_total", "Clients that left before their answer was complete."},
    {EDGE_CUT, "answers_cut_total", "Answers that an app did not complete."},
    {EDGE_SPOOLED, "uploads_kept_total", "Uploads kept on disk while they passed."},
    {EDGE_UNSPOOLED, "uploads_not_kept_total", "Uploads that found no room: lost when their instance ends."},
    {EDGE_REPLAYS, "uploads_replayed_total", "Uploads sent again from what was kept."},
    {EDGE_RETRIES, "retries_total", "Requests offered to another instance, or again."},
    {EDGE_HELD, "held_total", "Requests that waited for an instance."},
    {EDGE_HELD_LOST, "held_lost_total", "Requests that waited too long or found no room."},
    {EDGE_RATED, "rate_refused_total", "Requests that were more than the app's rate: 429."},
    {EDGE_BYTES_IN, "received_bytes_total", "Bytes sent on to the app."},
    {EDGE_BYTES_OUT, "sent_bytes_total", "Bytes sent to clients."},
};

void edge_metrics(struct edge *e, struct buf *out)
{
    size_t pos;
    str name;
    void *item;
    uint32_t connections = 0;
    for (size_t i = 0; i < ARRAY_LEN(app_counters); i++) {
        head(out, app_counters[i].name, "counter", app_counters[i].help);
        for (pos = 0; map_next(e->apps, &pos, &name, &item);)
            buf_printf(out, "vitrine_edge_%s{app=\"%.*s\"} %llu\n", app_counters[i].name, STR_ARG(name),
                       (unsigned long long)edge_app_count(item, app_counters[i].counter));
    }
    head(out, "answers_total", "counter", "Answers by the first digit of their status.");
    for (pos = 0; map_next(e->apps, &pos, &name, &item);)
        for (int digit = 1; digit <= 5; digit++)
            buf_printf(out, "vitrine_edge_answers_total{app=\"%.*s\",code=\"%dxx\"} %llu\n", STR_ARG(name), digit,
                       (unsigned long long)edge_app_count(item, (enum edge_counter)(EDGE_1XX + digit - 1)));
    head(out, "protocol_requests_total", "counter", "Requests that are over, by the protocol of their clients.");
    for (pos = 0; map_next(e->apps, &pos, &name, &item);)
        for (int http = 1; http <= 2; http++)
            buf_printf(out, "vitrine_edge_protocol_requests_total{app=\"%.*s\",protocol=\"http%d\"} %llu\n",
                       STR_ARG(name), http,
                       (unsigned long long)edge_app_count(item, http == 1 ? EDGE_HTTP1 : EDGE_HTTP2));
    head(out, "duration_seconds_total", "counter", "Time from the head of a request to the end of its answer.");
    for (pos = 0; map_next(e->apps, &pos, &name, &item);)
        buf_printf(out, "vitrine_edge_duration_seconds_total{app=\"%.*s\"} %.6f\n", STR_ARG(name),
                   (double)edge_app_count(item, EDGE_DURATION_US) / 1e6);
    head(out, "waiting", "gauge", "Requests that wait for an instance now.");
    for (pos = 0; map_next(e->apps, &pos, &name, &item);)
        buf_printf(out, "vitrine_edge_waiting{app=\"%.*s\"} %u\n", STR_ARG(name),
                   atomic_load_explicit(&((struct edge_app *)item)->waiting, memory_order_relaxed));
    head(out, "in_hand", "gauge", "Requests and tunnels that instances have now.");
    for (pos = 0; map_next(e->apps, &pos, &name, &item);)
        buf_printf(out, "vitrine_edge_in_hand{app=\"%.*s\"} %u\n", STR_ARG(name), edge_app_in_hand(item));
    head(out, "wakes_total", "counter", "Times that a request woke the app.");
    for (pos = 0; map_next(e->lives, &pos, &name, &item);)
        buf_printf(out, "vitrine_edge_wakes_total{app=\"%.*s\"} %llu\n", STR_ARG(name),
                   (unsigned long long)((struct life *)item)->wakes);
    head(out, "apps", "gauge", "Apps by how they are.");
    for (unsigned state = 0; state < REST_STATES; state++) {
        uint32_t n = 0;
        for (pos = 0; map_next(e->lives, &pos, &name, &item);)
            n += sm_state(&((struct life *)item)->rest) == state;
        buf_printf(out, "vitrine_edge_apps{state=\"%s\"} %u\n", rest_states[state].name, n);
    }
    head(out, "instance_ready", "gauge", "1 when the instance gets requests.");
    for (pos = 0; map_next(e->lives, &pos, &name, &item);)
        for (const struct unit *u = ((struct life *)item)->units; u; u = u->next)
            buf_printf(out, "vitrine_edge_instance_ready{app=\"%.*s\",instance=\"%s\"} %d\n", STR_ARG(name),
                       u->instance->name, life_serves(item, u));
    certs_metrics(e, out);
    for (unsigned i = 0; i < e->worker_count; i++)
        connections += edge_worker_connections(e->workers[i]);
    head(out, "upload_kept_bytes", "gauge", "Bytes of uploads on disk now.");
    buf_printf(out, "vitrine_edge_upload_kept_bytes %lld\n",
               (long long)atomic_load_explicit(&e->spool.bytes, memory_order_relaxed));
    head(out, "connections", "gauge", "Connections of clients now.");
    buf_printf(out, "vitrine_edge_connections %u\n", connections);
}
