/* SPDX-License-Identifier: Apache-2.0 */
/* Asleep and awake: the rows of the table; how many requests a second; what visitors read meanwhile. */
#include <stdlib.h>

#include "codec/value.h"
#include "edge/edge_impl.h"
#include "edge/page.h"
#include "edge/worker_impl.h"
#include "test.h"

TEST(the_ways_between_asleep_and_awake)
{
    static const char *const rows[REST_STATES] = {
        /* to:          asleep waking awake drowsy down */
        [REST_ASLEEP] = "-wa-d", [REST_WAKING] = "s-aod", [REST_AWAKE] = "sw-od",
        [REST_DROWSY] = "swa-d", [REST_DOWN] = "swao-",
    };
    for (unsigned from = 0; from < REST_STATES; from++)
        for (unsigned to = 0; to < REST_STATES; to++) {
            struct sm sm;
            sm_init(&sm, "rest", rest_states, REST_STATES, REST_ASLEEP);
            sm.state = (uint8_t)from;
            CHECK_INT(sm_may(&sm, to), rows[from][to] != '-');
        }
}

TEST(a_rate_lets_a_burst_through_and_then_one_a_step)
{
    struct edge_app *app = edge_app_new(STR("a"), 1);
    struct edge_target t = {.app = app, .rate_step_us = 100000, .rate_slack_us = 200000}; /* 10 a second, 3 at once */
    int64_t now_us = 5000000, after_ms = 0;
    for (int i = 0; i < 3; i++)
        CHECK(rate_take(app, &t, now_us, &after_ms));
    CHECK(!rate_take(app, &t, now_us, &after_ms));
    CHECK_INT(after_ms, 100);
    CHECK(!rate_take(app, &t, now_us + 99999, &after_ms));
    CHECK_INT(after_ms, 1);
    CHECK(rate_take(app, &t, now_us + 100000, &after_ms));
    CHECK(!rate_take(app, &t, now_us + 100000, &after_ms));
    int passed = 0; /* over ten seconds of asking every millisecond */
    for (int ms = 0; ms < 10000; ms++)
        passed += rate_take(app, &t, now_us + 1000000 + ms * INT64_C(1000), &after_ms);
    CHECK(passed >= 101 && passed <= 103);
    for (int i = 0; i < 3; i++) /* a long silence gives no more than the burst */
        CHECK(rate_take(app, &t, now_us + INT64_C(3600000000), &after_ms));
    CHECK(!rate_take(app, &t, now_us + INT64_C(3600000000), &after_ms));
    t.rate_step_us = 0;
    CHECK(rate_take(app, &t, now_us, &after_ms));
    free(app);
}

static str page(struct arena *a, const struct edge_page *p, enum page_form form)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    page_put(&out, p, form, 1790000000);
    str text = arena_str(a, buf_str(&out));
    buf_release(&out);
    return text;
}

TEST(pages_say_when_and_what)
{
    static const struct {
        int64_t ago_s, retry_s;
        const char *said;
    } cases[] = {
        {1, 30, "So since 14:13 UTC, 1 second ago. The next try is in 30 seconds."},
        {119, 1, "119 seconds ago. The next try is in 1 second."},
        {120, 0, "So since 14:11 UTC, 2 minutes ago."},
        {7200, 0, ", 2 hours ago."},
        {172800, 0, ", 2 days ago."},
        {0, 5, "Try again in 5 seconds."},
    };
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct edge_page p = {.status = 503, .text = "It ended.", .remedy = "Wait.", .retry_s = cases[i].retry_s};
        p.since_unix_s = cases[i].ago_s ? 1790000000 - cases[i].ago_s : 0;
        str text = page(a, &p, PAGE_TEXT);
        if (str_find(text, str_of(cases[i].said)) == STR_NPOS)
            test_fail(__FILE__, __LINE__, "%.*s", STR_ARG(text));
    }
    arena_free(a);
}

TEST(pages_quote_what_others_wrote)
{
    struct arena *a = arena_new(0);
    struct value v;
    const struct edge_page p = {
        .status = 503, .title = "Off", .text = "", .remedy = "", .message = STR("<b>\"x\"</b>\n\1")};
    str text = page(a, &p, PAGE_HTML);
    CHECK(str_find(text, STR("<b>")) == STR_NPOS && str_find(text, STR("&lt;b&gt;")) != STR_NPOS);
    CHECK(str_find(text, STR("<h1>Off</h1>")) != STR_NPOS && text.n < 4096);
    CHECK_INT(value_from_json(a, page(a, &p, PAGE_JSON), &v, NULL), STATUS_OK);
    CHECK(str_eq(VALUE_GET(v, "error").s, p.message) && !VALUE_GET(v, "ok").b && VALUE_GET(v, "status").i == 503);
    arena_free(a);
}

TEST(pages_come_as_they_are_asked_for)
{
    CHECK_INT(page_form_for(STR("text/html,application/json;q=0.5")), PAGE_HTML);
    CHECK_INT(page_form_for(STR("application/json")), PAGE_JSON);
    CHECK_INT(page_form_for(STR("*/*")), PAGE_TEXT);
    CHECK_INT(page_form_for((str){0}), PAGE_TEXT);
}
