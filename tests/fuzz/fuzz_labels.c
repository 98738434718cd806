/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_labels — rules of routers, and lists of containers.
 *
 * Properties: a rule that is read names places that any app may have, and reading it again from what it names gives the
 * same places; a list of containers gives apps or mistakes, each with the name of its router. */
#include "edge/labels.h"
#include "edge/model.h"
#include "edge/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rule(struct arena *a, str text)
{
    struct rule_place *places, *again;
    struct err err = ERR_INIT;
    size_t count = 0, count_again = 0;
    struct buf out;
    if (rule_parse(a, text, &places, &count, &err) != STATUS_OK) {
        ASSERT(err.text[0]);
        return;
    }
    ASSERT(count > 0 && count <= LIMIT_EDGE_HOSTS);
    buf_init(&out, SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        ASSERT(edge_host_check(places[i].host, NULL) == STATUS_OK &&
               edge_path_check(places[i].path, NULL) == STATUS_OK);
        buf_puts(&out, i ? STR("||") : STR(""));
        if (places[i].host.n)
            buf_printf(&out, "Host(`%.*s`)&&", STR_ARG(places[i].host));
        bool quote = str_find_char(places[i].path, '`') != STR_NPOS;
        ASSERT(str_find_char(places[i].path, '"') == STR_NPOS || !quote);
        buf_printf(&out, quote ? "PathPrefix(\"%.*s\")" : "PathPrefix(`%.*s`)", STR_ARG(places[i].path));
    }
    if (out.n <= LIMIT_EDGE_RUN) {
        ASSERT(rule_parse(a, buf_str(&out), &again, &count_again, &err) == STATUS_OK && count_again == count);
        for (size_t i = 0; i < count; i++)
            ASSERT(str_eq(places[i].host, again[i].host) && str_eq(places[i].path, again[i].path));
    }
    buf_release(&out);
}

static void on_app(void *arg, str router, struct value fields)
{
    (void)arg;
    ASSERT(router.n && edge_name_ok(value_get_text(fields, STR("name"))));
    ASSERT(value_count(VALUE_GET(fields, "to")) > 0);
}

static void on_broken(void *arg, str router, const struct err *err)
{
    (void)arg;
    ASSERT(router.n && err->text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(0);
    struct value v;
    struct labels_out out = {.app = on_app, .broken = on_broken};
    str text = str_make((const char *)data, size);
    if (size <= 65536 && value_from_json(a, text, &v, NULL) == STATUS_OK)
        (void)!labels_read(a, v, &out, NULL);
    else if (size <= 65536)
        check_rule(a, text);
    arena_free(a);
    return 0;
}
