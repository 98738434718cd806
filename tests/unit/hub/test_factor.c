/* SPDX-License-Identifier: Apache-2.0 */
/* Second factors and passkeys in hub.db: a step, a recovery code and a challenge are used once, even by two at once. */
#include "base/limits.h"
#include "codec/b64.h"
#include "codec/totp.h"
#include "hub/factor.h"
#include "hub/passkey.h"
#include "hub/sql.h"
#include "test.h"

#define KEY  STR("key of the installation")
#define ANA  STR("uana")
#define BEN  STR("uben")
#define NOW  ((int64_t)1000 * TOTP_STEP_S)
#define HOUR 3600

static struct arena *a;
static struct database *db;
static struct conn *c;
static struct err err;

static void begin(void)
{
    const struct database_options options = {.name = STR("hub"), .memory = true};
    a = arena_new(0);
    CHECK(database_new(&options, &db, &err) == STATUS_OK);
    CHECK(conn_open_private(db, CONN_WRITE, &c, &err) == STATUS_OK);
    static const char *const tables[] = {
#define X(name, sql) sql,
#include "hub/tbl/hub_steps.h"
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        CHECK(conn_execute(c, str_of(tables[i]), &err) == STATUS_OK);
    CHECK(conn_execute(
              c,
              STR("insert into users (id, email, name, created_at) values ('uana', 'a@x', 'Ana', 0), ('uben', 'b@x',"
                  " 'Ben', 0)"),
              &err) == STATUS_OK);
}

static void end(void)
{
    conn_close(c);
    database_unref(db);
    arena_free(a);
}

static str code(str secret, int64_t now_s)
{
    char *out = arena_alloc(a, TOTP_DIGITS + 1);
    totp_code(secret, (uint64_t)(now_s / TOTP_STEP_S), out);
    return str_of(out);
}

static enum status use(str user, str typed, int64_t now_s)
{
    bool recovery;
    return factor_use(c, a, KEY, user, typed, now_s, &recovery, &err);
}

TEST(an_app_is_confirmed_before_it_counts)
{
    struct factor_state state;
    str secret, waiting;
    begin();
    CHECK(factor_waiting(c, a, KEY, ANA, NOW, &waiting, &err) == STATUS_NOT_FOUND);
    CHECK(factor_confirm(c, a, KEY, ANA, STR("123456"), NOW, &err) == STATUS_NOT_FOUND);
    CHECK(factor_begin(c, a, KEY, ANA, NOW, &secret, &err) == STATUS_OK);
    CHECK(factor_waiting(c, a, KEY, ANA, NOW + 1, &waiting, &err) == STATUS_OK);
    CHECK_STRS(waiting, secret);
    CHECK(factor_state(c, ANA, &state, &err) == STATUS_OK && !state.totp);
    CHECK(use(ANA, code(secret, NOW), NOW) == STATUS_FORBIDDEN);
    CHECK(factor_confirm(c, a, KEY, ANA, code(secret, NOW + 300), NOW, &err) == STATUS_FORBIDDEN);
    CHECK(factor_confirm(c, a, KEY, ANA, code(secret, NOW), NOW + HOUR, &err) ==
          STATUS_NOT_FOUND); /* waited too long */
    CHECK(factor_confirm(c, a, KEY, ANA, code(secret, NOW), NOW, &err) == STATUS_OK);
    CHECK(factor_state(c, ANA, &state, &err) == STATUS_OK && state.totp);
    CHECK(factor_state(c, BEN, &state, &err) == STATUS_OK && !state.totp);
    end();
}

TEST(a_code_signs_in_once)
{
    str secret, other;
    begin();
    CHECK(factor_begin(c, a, KEY, ANA, NOW, &secret, &err) == STATUS_OK);
    CHECK(factor_confirm(c, a, KEY, ANA, code(secret, NOW), NOW, &err) == STATUS_OK);
    CHECK(use(ANA, code(secret, NOW), NOW) == STATUS_FORBIDDEN); /* that of the set-up */
    CHECK(str_find(str_of(err.text), STR("used already")) != STR_NPOS);
    CHECK(use(ANA, code(secret, NOW + 30), NOW) == STATUS_OK);
    CHECK(use(ANA, code(secret, NOW + 30), NOW) == STATUS_FORBIDDEN);
    CHECK(use(ANA, code(secret, NOW), NOW) == STATUS_FORBIDDEN);
    CHECK(use(BEN, code(secret, NOW + 60), NOW + 60) == STATUS_FORBIDDEN);
    /* setting up anew, and giving up on it, leaves the old one in force */
    CHECK(factor_begin(c, a, KEY, ANA, NOW, &other, &err) == STATUS_OK && !str_eq(secret, other));
    CHECK(use(ANA, code(other, NOW + 60), NOW + 60) == STATUS_FORBIDDEN);
    CHECK(use(ANA, code(secret, NOW + 60), NOW + 60) == STATUS_OK);
    CHECK(factor_confirm(c, a, KEY, ANA, code(other, NOW + 90), NOW + 90, &err) == STATUS_OK);
    CHECK(use(ANA, code(secret, NOW + 120), NOW + 120) == STATUS_FORBIDDEN);
    CHECK(use(ANA, code(other, NOW + 120), NOW + 120) == STATUS_OK);
    end();
}

TEST(recovery_codes_are_used_once)
{
    str codes[RECOVERY_CODES], newer[RECOVERY_CODES];
    struct factor_state state;
    begin();
    CHECK(factor_renew_recovery(c, a, KEY, ANA, NOW, codes, &err) == STATUS_OK);
    CHECK(factor_state(c, ANA, &state, &err) == STATUS_OK && state.recovery_left == RECOVERY_CODES);
    CHECK(use(BEN, codes[0], NOW) == STATUS_FORBIDDEN);
    for (int i = 0; i < RECOVERY_CODES; i++) {
        CHECK(use(ANA, codes[i], NOW) == STATUS_OK);
        CHECK(use(ANA, codes[i], NOW) == STATUS_FORBIDDEN);
    }
    CHECK(factor_state(c, ANA, &state, &err) == STATUS_OK && state.recovery_left == 0);
    CHECK(factor_renew_recovery(c, a, KEY, ANA, NOW, codes, &err) == STATUS_OK);
    CHECK(factor_renew_recovery(c, a, KEY, ANA, NOW, newer, &err) == STATUS_OK);
    CHECK(use(ANA, codes[3], NOW) == STATUS_FORBIDDEN && use(ANA, newer[3], NOW) == STATUS_OK);
    CHECK(factor_off(c, ANA, &err) == STATUS_OK);
    CHECK(use(ANA, newer[4], NOW) == STATUS_FORBIDDEN);
    end();
}

TEST(guesses_are_refused)
{
    str secret;
    int right = 0;
    begin();
    CHECK(factor_begin(c, a, KEY, ANA, NOW, &secret, &err) == STATUS_OK);
    CHECK(factor_confirm(c, a, KEY, ANA, code(secret, NOW), NOW, &err) == STATUS_OK);
    for (int i = 0; i < 2000; i++) {
        char typed[16];
        (void)snprintf(typed, sizeof typed, "%06d", i * 499 % 1000000);
        if (str_eq(str_of(typed), code(secret, NOW + 9030)))
            continue;
        right += use(ANA, str_of(typed), NOW + 9030 + 60) == STATUS_OK;
    }
    CHECK(right <= 1); /* three codes of a million are right at a time */
    end();
}

/* ---- challenges of passkeys ---- */

static struct passkey_ask asks(int64_t now_s)
{
    return (struct passkey_ask){.site = {STR("example.org"), STR("https://example.org")},
                                .key = KEY,
                                .purpose = STR("sign-in"),
                                .browser = STR("cookie"),
                                .now_s = now_s};
}

static str challenge_in(str json)
{
    struct value v;
    CHECK(value_from_json(a, json, &v, &err) == STATUS_OK);
    return value_get_text(v, STR("challenge"));
}

static struct passkey_answer answer_to(str challenge)
{
    str client = ARENA_CAT(a, STR("{\"type\":\"webauthn.get\",\"origin\":\"https://example.org\",\"challenge\":\""),
                           challenge, STR("\"}"));
    return (struct passkey_answer){STR("AAAA"), b64url_encode(a, client), STR("AAAA"), STR("AAAA")};
}

static str refusal(struct passkey_ask ask, str challenge)
{
    struct passkey_answer given = answer_to(challenge);
    str user;
    CHECK(passkey_use(c, a, &ask, STR(""), &given, &user, &err) == STATUS_FORBIDDEN);
    return str_of(err.text);
}

TEST(challenges_are_for_one_browser_one_purpose_one_hour_once)
{
    struct passkey_ask ask = asks(NOW), other;
    str json, challenge;
    begin();
    CHECK(passkey_options_get(c, a, &ask, STR(""), &json, &err) == STATUS_OK);
    challenge = challenge_in(json);
    other = asks(NOW), other.browser = STR("another cookie");
    CHECK(str_starts(refusal(other, challenge), STR("This page was not made for this browser")));
    other = asks(NOW), other.purpose = STR("add");
    CHECK(str_starts(refusal(other, challenge), STR("This page was not made for this browser")));
    other = asks(NOW), other.key = STR("of another installation");
    CHECK(str_starts(refusal(other, challenge), STR("This page was not made for this browser")));
    CHECK(str_starts(refusal(asks(NOW + HOUR), challenge), STR("The page was open for too long")));
    CHECK(str_starts(refusal(asks(NOW), STR("AAAA")), STR("This page was not made for this browser")));
    CHECK(str_starts(refusal(ask, challenge), STR("This passkey is not known here")));
    /* within one transaction that was not rolled back, as after a success */
    CHECK(str_starts(refusal(ask, challenge), STR("This was sent before")));
    CHECK(passkey_options_get(c, a, &ask, STR(""), &json, &err) == STATUS_OK);
    CHECK(!str_eq(challenge, challenge_in(json)));
    end();
}

TEST(what_a_browser_is_asked)
{
    struct passkey_ask ask = asks(NOW);
    str json, hostile = STR("</script>\"'<b>");
    struct value v;
    begin();
    CHECK(passkey_options_create(c, a, &ask, ANA, STR("ana@example.org"), hostile, STR("Data"), &json, &err) ==
          STATUS_OK);
    CHECK(value_from_json(a, json, &v, &err) == STATUS_OK);
    CHECK_STRS(value_get_text(VALUE_GET(v, "user"), STR("displayName")), hostile);
    CHECK_STR(value_get_text(VALUE_GET(v, "rp"), STR("id")), "example.org");
    CHECK_INT(value_count(VALUE_GET(v, "pubKeyCredParams")), 3);
    CHECK_STR(value_get_text(v, STR("attestation")), "none");
    end();
}
