/* SPDX-License-Identifier: Apache-2.0 */
/* operations — pages for machines that watch: /-/health, /-/ready, /-/metrics. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/version.h"
#include "site/metrics.h"
#include "site/ready.h"
#include "site/request.h"
#include "site/view/view.h"

enum status view_health(struct request *rq, struct err *err)
{
    struct value d = value_dict(rq->arena);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "status", value_cstr("ok"));
    VALUE_SET(d, "version", value_cstr(version_text()));
    VALUE_SET(d, "commit", value_cstr(version_commit()));
    VALUE_SET(d, "uptime_s", value_int((clock_unix_us() - rq->site->shared->started_unix_us) / 1000000));
    (void)err;
    respond_json(rq, 200, d);
    return STATUS_OK;
}

enum status view_ready(struct request *rq, struct err *err)
{
    struct value d = value_dict(rq->arena);
    str why = {0};
    bool ready = site_is_ready(rq->site, rq->arena, &why);
    (void)err;
    VALUE_SET(d, "ok", value_bool(ready));
    VALUE_SET(d, "status", value_cstr(ready ? "ready" : "not ready"));
    if (!ready) {
        VALUE_SET(d, "reason", value_str(why));
        response_header(rq->response, STR("retry-after"), STR("1"));
    }
    VALUE_SET(d, "generation", value_int((int64_t)rq->site->generation));
    respond_json(rq, ready ? 200 : 503, d);
    return STATUS_OK;
}

/* Compares all of it, whatever differs. */
static bool same_secret(str a, str b)
{
    unsigned char difference = a.n != b.n;
    for (size_t i = 0; i < a.n; i++)
        difference |= (unsigned char)(a.p[i] ^ b.p[b.n ? i % b.n : 0]);
    return !difference && b.n;
}

static bool may_see_metrics(const struct request *rq)
{
    struct value config = VALUE_GET(rq->site->config.root, "metrics"), token = VALUE_GET(config, "token");
    str authorization = http_header(rq->http, STR("authorization"));
    str wanted = value_is_text(token) ? token.s : rq->site->metrics_token;
    if (value_truth(VALUE_GET(config, "public")))
        return true;
    if (str_starts(authorization, STR("Bearer ")) && same_secret(str_trim(str_from(authorization, 7)), wanted))
        return true;
    return request_allowed(rq, ACTION_PERMISSIONS_DEBUG, (str){0}, (str){0});
}

enum status view_metrics(struct request *rq, struct err *err)
{
    bool open = str_find(http_header(rq->http, STR("accept")), STR("application/openmetrics-text")) != STR_NPOS;
    struct buf out;
    if (!may_see_metrics(rq)) {
        err_set(err, STATUS_FORBIDDEN, "The metrics are private");
        return err_hint(err, "Set metrics.token and send it as a bearer token, or metrics.public to open them.");
    }
    buf_init(&out, LIMIT_METRICS_PAGE);
    metrics_write(rq->site, rq->http_stats, open, &out);
    if (out.over) { /* half of them would be wrong figures */
        buf_release(&out);
        err_set(err, STATUS_INTERNAL, "The metrics are longer than %d bytes", LIMIT_METRICS_PAGE);
        return err_hint(err, "Restart the server: their labels then begin anew.");
    }
    response_header(rq->response, STR("vary"), STR("Accept"));
    response_header(rq->response, STR("cache-control"), STR("no-store"));
    respond_buf(rq, 200,
                open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                     : "text/plain; version=0.0.4; charset=utf-8",
                &out);
    return STATUS_OK;
}
