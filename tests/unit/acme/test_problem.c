/* SPDX-License-Identifier: Apache-2.0 */
/* What people read when an authority refuses. */
#include "acme/acme_impl.h"
#include "test.h"

TEST(refusals_in_words)
{
    static const struct {
        const char *json;
        int status;
        enum status want;
        const char *text, *hint; /* hint: a part of it */
    } rows[] = {
        {"{\"type\":\"urn:ietf:params:acme:error:connection\",\"detail\":\"no route\"}", 0, STATUS_CONFIG,
         "http-01: the authority says: no route (connection)", "port 80 for http-01"},
        {"{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"too many\"}", 429, STATUS_RATE,
         "http-01: the authority says: too many (rateLimited)", "when the authority allows"},
        {"{\"type\":\"urn:ietf:params:acme:error:compound\",\"detail\":\"several\",\"subproblems\":["
         "{\"type\":\"urn:ietf:params:acme:error:caa\",\"detail\":\"CAA forbids\"}]}",
         403, STATUS_CONFIG, "http-01: the authority says: several: CAA forbids (caa)", "CAA record"},
        {"{\"type\":\"x:y\",\"detail\":\"a\\nb\\u0007\"}", 400, STATUS_IO, "http-01: the authority says: a b  (x:y)",
         ""},
        {"{}", 503, STATUS_IO, "http-01: the authority says: it answered 503 and gave no reason", ""},
        {"{}", 0, STATUS_IO, "http-01: the authority says: it gave no reason", ""},
        {"{}", 429, STATUS_RATE, "http-01: the authority says: it answered 429 and gave no reason", ""},
    };
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_INIT;
        struct value v;
        CHECK_INT(value_from_json(a, str_of(rows[i].json), &v, &err), STATUS_OK);
        CHECK_INT(acme_problem(a, v, rows[i].status, "http-01", &err), rows[i].want);
        CHECK_STR(str_of(err.text), rows[i].text);
        CHECK(str_find(str_of(err.hint), str_of(rows[i].hint)) != STR_NPOS);
    }
    arena_free(a);
}

TEST(kinds)
{
    enum acme_kind kind;
    for (int i = 0; i < ACME_KINDS; i++)
        CHECK(acme_kind_parse(str_of(acme_kind_names[i]), &kind) && (int)kind == i);
    CHECK(!acme_kind_parse(STR("http-02"), &kind) && !acme_kind_parse(STR(""), &kind));
}
