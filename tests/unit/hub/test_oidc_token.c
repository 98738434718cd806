/* SPDX-License-Identifier: Apache-2.0 */
/* What an issuer may say, and what it may not. The whole way, with signatures, is in tests/hub/test_oidc.py. */
#include "base/limits.h"
#include "hub/oidc_token.h"
#include "test.h"

#define NOW 1700000000

static const struct oidc_config config = {.name = {"x", 1},
                                          .label = {"X", 1},
                                          .issuer = {"https://id.example.org", 22},
                                          .client_id = {"us", 2},
                                          .groups_claim = {"groups", 6}};

static struct value json(struct arena *a, const char *text)
{
    struct value v;
    char *p = arena_cstr(a, str_of(text));
    for (char *c = p; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    struct err err = ERR_INIT;
    if (value_from_json(a, str_of(p), &v, &err) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", p, err.text);
    return v;
}

TEST(descriptions)
{
    static const struct {
        const char *text, *why; /* NULL = good */
    } known[] = {{"{'issuer':'https://id.example.org','authorization_endpoint':'https://id.example.org/a',"
                  "'token_endpoint':'https://t.example.org/t','jwks_uri':'https://id.example.org/k'}",
                  NULL},
                 {"{'issuer':'https://id.example.org/','authorization_endpoint':'https://id.example.org/a',"
                  "'token_endpoint':'https://id.example.org/t','jwks_uri':'https://id.example.org/k'}",
                  "calls itself"},
                 {"{'authorization_endpoint':'https://id.example.org/a'}", "calls itself \"\""},
                 {"{'issuer':'https://id.example.org','token_endpoint':'https://id.example.org/t',"
                  "'jwks_uri':'https://id.example.org/k'}",
                  "no authorization_endpoint"},
                 {"{'issuer':'https://id.example.org','authorization_endpoint':'https://id.example.org/a',"
                  "'token_endpoint':'http://id.example.org/t','jwks_uri':'https://id.example.org/k'}",
                  "token_endpoint is not encrypted"},
                 {"{'issuer':'https://id.example.org','authorization_endpoint':'javascript:alert(1)',"
                  "'token_endpoint':'https://id.example.org/t','jwks_uri':'https://id.example.org/k'}",
                  "authorization_endpoint is not encrypted or no URL"},
                 {"{'issuer':'https://id.example.org','authorization_endpoint':'https://id.example.org/a',"
                  "'token_endpoint':'https://id.example.org/t','jwks_uri':['x']}",
                  "no jwks_uri"},
                 {"[]", "no JSON object"},
                 {"{'issuer':", "line 1"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct arena *a = arena_new(0);
        struct oidc_discovery d;
        struct err err = ERR_INIT;
        char *p = arena_cstr(a, str_of(known[i].text));
        for (char *c = p; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        enum status st = oidc_read_discovery(a, &config, str_of(p), &d, &err);
        if ((st == STATUS_OK) != !known[i].why || (known[i].why && !strstr(err.text, known[i].why)))
            test_fail(__FILE__, __LINE__, "%s: %s", p, err.text);
        arena_free(a);
    }
}

TEST(ways_to_say_the_secret)
{
    static const char base[] = "{'issuer':'https://id.example.org','authorization_endpoint':'https://id.example.org/a',"
                               "'token_endpoint':'https://id.example.org/t','jwks_uri':'https://id.example.org/k'";
    static const struct {
        const char *more;
        bool body, says;
    } known[] = {
        {"}", false, false},
        {",'token_endpoint_auth_methods_supported':['client_secret_post']}", true, false},
        {",'token_endpoint_auth_methods_supported':['client_secret_post','client_secret_basic']}", false, false},
        {",'authorization_response_iss_parameter_supported':true}", false, true}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct arena *a = arena_new(0);
        struct oidc_discovery d;
        struct buf b;
        buf_init(&b, 2000);
        value_to_json(&b, json(a, arena_printf(a, "%s%s", base, known[i].more).p), 0);
        CHECK_INT(oidc_read_discovery(a, &config, buf_str(&b), &d, NULL), STATUS_OK);
        CHECK_INT(d.secret_in_body, known[i].body);
        CHECK_INT(d.says_issuer, known[i].says);
        buf_release(&b);
        arena_free(a);
    }
}

TEST(claims)
{
#define GOOD "'iss':'https://id.example.org','sub':'7','nonce':'n','iat':1699999990,'exp':1700000300"
    static const struct {
        const char *text, *why;
    } known[] = {{"{" GOOD ",'aud':'us'}", NULL},
                 {"{" GOOD ",'aud':['us']}", NULL},
                 {"{" GOOD ",'aud':['us','them'],'azp':'us'}", NULL},
                 {"{" GOOD ",'aud':'us','iat':1.69999999e9}", NULL},
                 {"{" GOOD ",'aud':['us','them']}", "azp"},
                 {"{" GOOD ",'aud':['us','them'],'azp':'them'}", "azp"},
                 {"{" GOOD ",'aud':'us','azp':'them'}", "azp"},
                 {"{" GOOD ",'aud':'them'}", "aud"},
                 {"{" GOOD ",'aud':[]}", "aud"},
                 {"{" GOOD "}", "aud"},
                 {"{" GOOD ",'aud':'us','iss':'https://id.example.org/'}", "iss"},
                 {"{" GOOD ",'aud':'us','iss':['https://id.example.org']}", "iss"},
                 {"{" GOOD ",'aud':'us','sub':''}", "sub"},
                 {"{" GOOD ",'aud':'us','sub':7}", "sub"},
                 {"{" GOOD ",'aud':'us','nonce':'m'}", "nonce"},
                 {"{" GOOD ",'aud':'us','nonce':null}", "nonce"},
                 {"{" GOOD ",'aud':'us','exp':1699999800}", "expired"},
                 {"{" GOOD ",'aud':'us','exp':'later'}", "iat, exp"},
                 {"{" GOOD ",'aud':'us','exp':null}", "iat, exp"},
                 {"{" GOOD ",'aud':'us','iat':1700000200}", "future"},
                 {"{" GOOD ",'aud':'us','nbf':1700000200}", "future"},
                 {"{" GOOD ",'aud':'us','iat':1699000000}", "long ago"},
                 {"{" GOOD ",'aud':'us','iat':1700000110}", NULL}, /* clocks may differ by two minutes */
                 {"{" GOOD ",'aud':'us','exp':1699999890}", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct arena *a = arena_new(0);
        struct err err = ERR_INIT;
        enum status st = oidc_check_claims(&config, json(a, known[i].text), STR("n"), NOW, &err);
        if ((st == STATUS_OK) != !known[i].why || (known[i].why && !strstr(err.text, known[i].why)))
            test_fail(__FILE__, __LINE__, "%s: %s", known[i].text, err.text);
        if (oidc_check_claims(&config, json(a, known[i].text), STR(""), NOW, &err) == STATUS_OK)
            test_fail(__FILE__, __LINE__, "without a nonce: %s", known[i].text);
        arena_free(a);
    }
}

TEST(persons)
{
    struct arena *a = arena_new(0);
    struct identity_person p;
    struct oidc_config c = config;
    struct err err = ERR_INIT;
    CHECK_INT(oidc_person(a, &c,
                          json(a, "{'sub':'7','email':'a@b.c','email_verified':true,'name':'Ana','groups':['x',1]}"),
                          &p, NULL),
              STATUS_OK);
    CHECK(p.email_verified && str_is(p.email, "a@b.c") && str_is(p.name, "Ana") && p.group_count == 1);
    CHECK_INT(oidc_person(a, &c, json(a, "{'sub':'7','email':'a@b.c','email_verified':'true'}"), &p, NULL), STATUS_OK);
    CHECK(p.email_verified);
    static const char *const not_verified[] = {"{'sub':'7','email':'a@b.c'}",
                                               "{'sub':'7','email':'a@b.c','email_verified':1}",
                                               "{'sub':'7','email':'a@b.c','email_verified':'false'}",
                                               "{'sub':'7','email':'a@b.c','email_verified':['true']}",
                                               "{'sub':'7','email_verified':true}",
                                               "{'sub':'7','email':'a@b.c\\nx','email_verified':true}"};
    for (size_t i = 0; i < ARRAY_LEN(not_verified); i++) {
        CHECK_INT(oidc_person(a, &c, json(a, not_verified[i]), &p, NULL), STATUS_OK);
        if (p.email_verified)
            test_fail(__FILE__, __LINE__, "%s", not_verified[i]);
    }
    c.trust_email = true;
    CHECK_INT(oidc_person(a, &c, json(a, not_verified[0]), &p, NULL), STATUS_OK);
    CHECK(p.email_verified);
    const str staff[] = {STR("staff")}, root[] = {STR("root")};
    c.groups = staff, c.admins = root, c.group_count = c.admin_count = 1;
    c.groups_claim = STR("realm_access.roles");
    CHECK_INT(oidc_person(a, &c, json(a, "{'sub':'7','realm_access':{'roles':['staff']}}"), &p, &err), STATUS_OK);
    CHECK_INT(oidc_person(a, &c, json(a, "{'sub':'7','realm_access.roles':'root'}"), &p, &err), STATUS_OK);
    CHECK_INT(oidc_person(a, &c, json(a, "{'sub':'7','realm_access':{'roles':['staf']}}"), &p, &err), STATUS_FORBIDDEN);
    CHECK_INT(oidc_person(a, &c, json(a, "{'sub':'7','realm_access':['staff']}"), &p, &err), STATUS_FORBIDDEN);
    arena_free(a);
}

TEST(groups_have_a_number)
{
    struct arena *a = arena_new(0);
    struct identity_person p;
    struct value v = json(a, "{'sub':'7','groups':[]}"), list = VALUE_GET(v, "groups");
    for (int i = 0; i < LIMIT_OIDC_GROUPS + 5; i++)
        value_push(list, value_str(STR("g")));
    CHECK_INT(oidc_person(a, &config, v, &p, NULL), STATUS_OK);
    CHECK_INT(p.group_count, LIMIT_OIDC_GROUPS);
    arena_free(a);
}

TEST(more_about_a_person)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct value v = json(a, "{'sub':'7','email':'a@b.c','iss':'i'}");
    CHECK(oidc_wants_userinfo(&config, v));
    CHECK_INT(oidc_add_userinfo(v, json(a, "{'sub':'8','name':'Eve'}"), &err), STATUS_INVALID);
    CHECK_INT(oidc_add_userinfo(v, json(a, "{'name':'Eve'}"), &err), STATUS_INVALID);
    CHECK_INT(
        oidc_add_userinfo(v, json(a, "{'sub':'7','name':'Ana','email_verified':true,'email':'e@v.e','aud':'x'}"), &err),
        STATUS_OK);
    CHECK_STR(value_get_text(v, STR("name")), "Ana");
    CHECK_STR(value_get_text(v, STR("email")),
              "a@b.c"); /* the token's own claims win, and are not verified by others */
    CHECK(!value_has(v, STR("email_verified")) && !value_has(v, STR("aud")));
    arena_free(a);
}

TEST(addresses_of_issuers)
{
    static const char *const good[] = {"https://a.b", "https://a.b/c?d", "http://localhost:1/x", "http://127.0.0.1",
                                       "http://[::1]:8080/x"};
    static const char *const bad[] = {"http://a.b",
                                      "https://",
                                      "ftp://a.b",
                                      "https://a.b@c.d/",
                                      "https://a b/",
                                      "http://localhost.evil.org/",
                                      "http://127.0.0.1.evil.org/",
                                      "https://a\\@b/",
                                      "",
                                      "http://localhost@evil.org/"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!oidc_is_safe_url(str_of(good[i])))
            test_fail(__FILE__, __LINE__, "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (oidc_is_safe_url(str_of(bad[i])))
            test_fail(__FILE__, __LINE__, "%s", bad[i]);
    struct arena *a = arena_new(0);
    char *p = ARENA_ARRAY(a, char, LIMIT_OIDC_URL + 1);
    memset(p, 'a', LIMIT_OIDC_URL + 1);
    memcpy(p, "https://", 8);
    CHECK(oidc_is_safe_url(str_make(p, LIMIT_OIDC_URL)));
    CHECK(!oidc_is_safe_url(str_make(p, LIMIT_OIDC_URL + 1)));
    CHECK(oidc_same_origin(STR("https://a.b/c"), STR("https://A.b?x")));
    CHECK(!oidc_same_origin(STR("https://a.b:1/c"), STR("https://a.b/c")) && !oidc_same_origin(STR("x"), STR("x")));
    arena_free(a);
}
