/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/spec.h"
#include "test.h"

static enum status read_spec(struct arena *a, const char *json, struct edge_spec *s, struct err *err)
{
    struct value v;
    CHECK_INT(value_from_json(a, str_of(json), &v, err), STATUS_OK);
    return edge_spec_read(a, v, s, err);
}

TEST(a_spec_survives_writing_and_reading)
{
    struct arena *a = arena_new(0);
    struct edge_spec s, again;
    struct err err = ERR_INIT;
    CHECK_INT(read_spec(a,
                        "{\"name\": \"web\", \"host\": [\"a.test\", \"*.b.test\"], \"path\": \"/x\", \"strip\": true,"
                        " \"run\": \"app {port}\", \"env\": {\"A\": \"1\", \"B\": 2}, \"health\": \"/up\","
                        " \"replicas\": 3, \"drain_seconds\": 0.5, \"hold_rate\": 100}",
                        &s, &err),
              STATUS_OK);
    CHECK_INT(s.drain_ms, 500);
    CHECK_INT(s.replicas, 3);
    CHECK_INT(s.deploy_ms, 30000);
    edge_spec_copy(a, &s, &again);
    CHECK(edge_spec_equal(&s, &again));
    again.replicas = 4;
    CHECK(!edge_spec_equal(&s, &again));
    arena_free(a);
}

TEST(wrong_specs_name_the_field)
{
    static const char *const cases[][2] = {
        {"{\"name\": \"web\"}", "web: say how"},
        {"{\"name\": \"Web\", \"to\": \":80\"}", "\"Web\" is no name"},
        {"{\"name\": \"web\", \"to\": \":80\", \"nam\": 1}", "\"nam\" is nothing"},
        {"{\"name\": \"web\", \"run\": \"x\"}", "does not say where"},
        {"{\"name\": \"web\", \"to\": 5}", "to: must be a text"},
        {"{\"name\": \"web\", \"to\": \":80\", \"replicas\": 65}", "replicas must be a number from 1 to 64"},
        {"{\"name\": \"web\", \"to\": \":80\", \"drain_seconds\": \"x\"}", "drain_seconds must be"},
        {"{\"name\": \"web\", \"to\": \":80\", \"strip\": 1}", "strip: must be true or false"},
        {"{\"name\": \"web\", \"to\": \":80\", \"env\": {\"A=B\": \"1\"}}", "env: has a name"},
        {"{\"name\": \"web\", \"redirect\": \"https://\"}", "redirect is no address"},
        {"{\"name\": \"web\", \"redirect\": \"https://a\", \"redirect_status\": 305}", "redirect_status"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *a = arena_new(0);
        struct edge_spec s;
        struct err err = ERR_INIT;
        CHECK_INT(read_spec(a, cases[i][0], &s, &err), STATUS_INVALID);
        if (str_find(str_of(err.text), str_of(cases[i][1])) == STR_NPOS)
            test_fail(__FILE__, __LINE__, "%s: %s", cases[i][0], err.text);
        arena_free(a);
    }
}
