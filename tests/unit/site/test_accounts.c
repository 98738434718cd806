/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts, accounts and tokens of the configuration. */
#include "base/arena.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/b64.h"
#include "rt/throttle.h"
#include "site/accounts.h"
#include "test.h"

#define HASH "pbkdf2_sha256$1$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs=" /* "password" */

static const struct throttle_rule rule = {.burst = 3, .refill_ms = 1000};

TEST(attempts_run_out_and_come_back)
{
    struct throttle *t = throttle_new();
    for (int i = 0; i < 3; i++)
        CHECK_INT(throttle_take(t, STR("a"), rule, 5000), 0);
    CHECK_INT(throttle_take(t, STR("a"), rule, 5000), 1);
    CHECK_INT(throttle_take(t, STR("b"), rule, 5000), 0); /* somebody else's */
    CHECK_INT(throttle_take(t, STR("a"), rule, 5999), 1);
    CHECK_INT(throttle_take(t, STR("a"), rule, 6000), 0);
    CHECK_INT(throttle_take(t, STR("a"), rule, 6000), 1);
    throttle_give_back(t, STR("a"), rule, 6000);
    CHECK_INT(throttle_take(t, STR("a"), rule, 6000), 0);
    CHECK_INT(throttle_take(t, STR("a"), rule, 1000000), 0); /* long after: as new */
    CHECK_INT(throttle_take(t, STR("a"), rule, 1000000), 0);
    CHECK_INT(throttle_take(t, STR("a"), rule, 1000000), 0);
    CHECK_INT(throttle_take(t, STR("a"), rule, 1000000), 1);
    for (int i = 0; i < 10; i++) /* no credit for later */
        throttle_give_back(t, STR("c"), rule, 1000000);
    for (int i = 0; i < 3; i++)
        CHECK_INT(throttle_take(t, STR("c"), rule, 1000000), 0);
    CHECK_INT(throttle_take(t, STR("c"), rule, 1000000), 1);
    throttle_free(t);
}

TEST(more_names_than_buckets)
{
    struct throttle *t = throttle_new();
    struct arena *a = arena_new(0);
    for (int i = 0; i < 4; i++)
        (void)throttle_take(t, STR("busy"), rule, 1000);
    for (int i = 0; i < LIMIT_THROTTLE_BUCKETS * 2; i++)
        CHECK_INT(throttle_take(t, arena_printf(a, "name %d", i), rule, 1000), 0);
    CHECK_INT(throttle_take(t, STR("new"), rule, 1000), 0);
    arena_free(a);
    throttle_free(t);
}

static enum status read(struct arena *a, const char *plugins, struct accounts **ret, struct err *err)
{
    struct config c = {0};
    if (config_read(a, ARENA_CAT(a, STR("{\"plugins\": "), str_of(plugins), STR("}")), STR("test"), &c.root, err) !=
        STATUS_OK)
        return STATUS_INVALID;
    return accounts_new(a, &c, ret, err);
}

static struct accounts *accounts_of(struct arena *a, const char *plugins)
{
    struct accounts *p = NULL;
    struct err err = ERR_INIT;
    CHECK(read(a, plugins, &p, &err) == STATUS_OK);
    return p;
}

static str id_of(struct value actor)
{
    return value_is_text(VALUE_GET(actor, "id")) ? VALUE_GET(actor, "id").s : STR("");
}

static str basic(struct arena *a, const char *text)
{
    return ARENA_CAT(a, STR("Basic "), b64_encode_arena(a, str_of(text)));
}

TEST(signing_in)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct value actor = VALUE_NULL;
    int64_t wait_s = 0;
    struct accounts *p = accounts_of(a, "{\"datasette-auth-passwords\": {\"ann_password_hash\": \"" HASH "\", "
                                        "\"bob_password_hash\": \" " HASH "\\n\", \"actors\": {\"bob\": {\"id\": 7, "
                                        "\"name\": \"Bob\"}}}}");
    CHECK(accounts_configured(p) && !accounts_basic_required(p));
    CHECK_INT(accounts_count(p), 2);
    CHECK(accounts_sign_in(p, STR("ann"), STR("password"), STR("1"), &actor, &wait_s, &err) == STATUS_OK);
    CHECK_STR(id_of(actor), "ann");
    CHECK(accounts_sign_in(p, STR("bob"), STR("password"), STR("1"), &actor, &wait_s, &err) == STATUS_OK);
    CHECK_INT(VALUE_GET(actor, "id").i, 7);
    CHECK(accounts_sign_in(p, STR("bob"), STR("passwort"), STR("1"), &actor, &wait_s, &err) == STATUS_FORBIDDEN);
    CHECK(accounts_sign_in(p, STR("eve"), STR("password"), STR("1"), &actor, &wait_s, &err) == STATUS_FORBIDDEN);
    CHECK(accounts_sign_in(p, STR(""), STR(""), STR("1"), &actor, &wait_s, &err) == STATUS_FORBIDDEN);
    for (int i = 0; i < 7; i++)
        CHECK(accounts_sign_in(p, STR("eve"), STR("x"), STR("1"), &actor, &wait_s, &err) == STATUS_FORBIDDEN);
    CHECK(accounts_sign_in(p, STR("ann"), STR("password"), STR("1"), &actor, &wait_s, &err) == STATUS_RATE);
    CHECK(wait_s >= 1 && wait_s <= 6);
    CHECK(accounts_sign_in(p, STR("ann"), STR("password"), STR("2"), &actor, &wait_s, &err) == STATUS_OK);
    accounts_free(p);
    arena_free(a);
}

TEST(basic_is_hashed_once)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct value actor = VALUE_NULL;
    int64_t wait_s = 0;
    struct accounts *p = accounts_of(a, "{\"datasette-auth-passwords\": {\"ann_password_hash\": \"" HASH
                                        "\", \"http_basic_auth\": true}}");
    CHECK(accounts_basic_required(p));
    CHECK(!accounts_basic_is_known(p, a, basic(a, "ann:password"), &actor));
    CHECK(accounts_basic(p, a, basic(a, "ann:password"), STR("1"), &actor, &wait_s, &err) == STATUS_OK);
    CHECK(accounts_basic_is_known(p, a, basic(a, "ann:password"), &actor));
    CHECK_STR(id_of(actor), "ann");
    CHECK(!accounts_basic_is_known(p, a, basic(a, "ann:passworD"), &actor));
    CHECK(!accounts_basic_is_known(p, a, basic(a, "annp:assword"), &actor));
    CHECK(accounts_basic(p, a, STR("Bearer x"), STR("1"), &actor, &wait_s, &err) == STATUS_NOT_FOUND);
    CHECK(accounts_basic(p, a, STR("Basic ***"), STR("1"), &actor, &wait_s, &err) == STATUS_NOT_FOUND);
    CHECK(accounts_basic(p, a, basic(a, "no colon"), STR("1"), &actor, &wait_s, &err) == STATUS_NOT_FOUND);
    CHECK(accounts_basic(p, a, (str){0}, STR("1"), &actor, &wait_s, &err) == STATUS_NOT_FOUND);
    CHECK(accounts_basic(p, a, basic(a, "ann:"), STR("1"), &actor, &wait_s, &err) == STATUS_FORBIDDEN);
    accounts_free(p);
    arena_free(a);
}

TEST(configured_tokens)
{
    struct arena *a = arena_new(0);
    str sql, database;
    struct accounts *p =
        accounts_of(a, "{\"datasette-auth-tokens\": {\"tokens\": [{\"token\": \"s3cret\", \"actor\": "
                       "{\"id\": \"bot\"}}, {\"token\": null, \"actor\": {\"id\": \"none\"}}], \"param\": "
                       "\"_t\", \"query\": {\"sql\": \"select 1\", \"database\": \"d\"}}}");
    CHECK(!accounts_configured(p));
    CHECK_STR(id_of(accounts_token_actor(p, STR("s3cret"))), "bot");
    CHECK(value_is_null(accounts_token_actor(p, STR("s3creT"))));
    CHECK(value_is_null(accounts_token_actor(p, STR("s3cret "))));
    CHECK(value_is_null(accounts_token_actor(p, (str){0})));
    CHECK_STR(accounts_token_param(p), "_t");
    CHECK(accounts_token_query(p, &sql, &database));
    CHECK_STR(database, "d");
    accounts_free(p);
    arena_free(a);
}

TEST(wrong_settings_are_named)
{
    static const char *const bad[][2] = {
        {"{\"datasette-auth-passwords\": []}", "datasette-auth-passwords"},
        {"{\"datasette-auth-passwords\": {\"ann_password_hash\": \"secret\"}}", "ann_password_hash"},
        {"{\"datasette-auth-passwords\": {\"ann_password_hash\": 5}}", "ann_password_hash"},
        {"{\"datasette-auth-passwords\": {\"actors\": \"ann\"}}", "actors"},
        {"{\"datasette-auth-passwords\": {\"ann_password_hash\": \"" HASH "\", \"actors\": {\"ann\": \"x\"}}}", "ann"},
        {"{\"datasette-auth-tokens\": {\"tokens\": {\"token\": \"x\"}}}", "tokens"},
        {"{\"datasette-auth-tokens\": {\"tokens\": [\"x\"]}}", "tokens[0]"},
        {"{\"datasette-auth-tokens\": {\"tokens\": [{\"token\": \"x\"}]}}", "tokens[0]"},
        {"{\"datasette-auth-tokens\": {\"tokens\": [{\"token\": \"\", \"actor\": {}}]}}", "tokens[0]"},
        {"{\"datasette-auth-tokens\": {\"param\": 1}}", "param"},
        {"{\"datasette-auth-tokens\": {\"query\": {}}}", "query.sql"},
        {"{\"datasette-auth-tokens\": {\"query\": {\"sql\": \"select 1\", \"database\": 1}}}", "query.database"},
    };
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct accounts *p = NULL;
        struct err err = ERR_INIT;
        CHECK(read(a, bad[i][0], &p, &err) == STATUS_INVALID);
        CHECK(str_find(str_of(err.text), str_of(bad[i][1])) != STR_NPOS);
    }
    arena_free(a);
}
