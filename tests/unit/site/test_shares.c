/* SPDX-License-Identifier: Apache-2.0 */
/* Terms of shares, and who gets what by them. */
#include "base/arena.h"
#include "base/clock.h"
#include "codec/value.h"
#include "db/conn_cache.h"
#include "site/internal.h"
#include "site/share/shares.h"
#include "site/share/terms.h"
#include "test.h"

#define NOW INT64_C(1900000000) /* 2030-03-17T17:46:40Z */

static int64_t until(const char *text)
{
    struct err err = ERR_INIT;
    int64_t at = -2;
    return terms_until(str_of(text), NOW, &at, &err) == STATUS_OK ? at : -1;
}

TEST(ends)
{
    CHECK_INT(until(""), 0);
    CHECK_INT(until("never"), 0);
    CHECK_INT(until(" 1d "), NOW + 86400);
    CHECK_INT(until("3650d"), NOW + INT64_C(3650) * 86400);
    CHECK_INT(until("2030-03-17"), 1900022400); /* today: to its end */
    CHECK_INT(until("2032-02-29"), 1961712000);
    static const char *const wrong[] = {"d",          "0d",         "-1d",
                                        "3651d",      "1w",         "7",
                                        "2030-03-16", "2031-02-29", "2030-13-01",
                                        "2030-00-10", "2030-1-100", "2030-03-17T10:00:00Z",
                                        "+1d",        "1d1d",       "999999999999999999999d"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        CHECK_INT(until(wrong[i]), -1);
}

TEST(people_and_pages)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    str got;
    CHECK(terms_who(STR(" ana@example.org "), &got, &err) == STATUS_OK && str_is(got, "ana@example.org"));
    CHECK(terms_is_address(got));
    CHECK(terms_who(STR("u7abc"), &got, &err) == STATUS_OK && !terms_is_address(got));
    CHECK(!terms_is_address(STR("a@b@c.d")) && !terms_is_address(STR("@c.d")) && !terms_is_address(STR("a@")));
    static const char *const wrong[] = {"", " ", "a b", "a\nb", "<a@b.c>", "a@b.c,d@e.f", "\xff"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        CHECK(terms_who(str_of(wrong[i]), &got, &err) == STATUS_INVALID);
    CHECK(terms_page(a, STR("?a=%20b#c"), &got, &err) == STATUS_OK && str_is(got, "?a=%20b#c"));
    CHECK(terms_page(a, STR(""), &got, &err) == STATUS_OK && !got.n);
    CHECK(terms_page(a, STR("?"), &got, &err) == STATUS_OK && !got.n);
    static const char *const pages[] = {"a=b", "/x", "//evil", "?a b", "?a\r\nb", "?\\", "?\xc3\xa4"};
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        CHECK(terms_page(a, str_of(pages[i]), &got, &err) == STATUS_INVALID);
    CHECK(terms_password(STR("1234567"), &err) == STATUS_INVALID);
    CHECK(terms_password(STR("12345678"), &err) == STATUS_OK);
    arena_free(a);
}

struct fixture {
    struct arena *a;
    struct internal *in;
    struct shares *s;
};

static void begin(struct fixture *f)
{
    f->a = arena_new(0);
    f->in = internal_new((str){0});
    f->s = shares_new(f->in, STR("secret"));
    shares_look(f->s);
}

static void end(struct fixture *f)
{
    shares_free(f->s);
    conn_cache_clear_thread();
    internal_free(f->in);
    arena_free(f->a);
}

static struct share add(struct fixture *f, enum share_kind kind, const char *name, enum share_audience audience,
                        const char *who)
{
    struct err err = ERR_INIT;
    struct share s = {
        .kind = kind, .database = STR("d"), .name = str_of(name), .audience = audience, .who = str_of(who)};
    CHECK(shares_add(f->s, f->a, &s, &err) == STATUS_OK);
    return s;
}

static int level(struct fixture *f, struct value actor, const struct share *pass, enum action a, const char *child)
{
    struct share_hit hit;
    struct share_pass p = {0};
    if (pass)
        p = (struct share_pass){pass->id, pass->version};
    return shares_level(f->s, actor, &p, pass ? 1 : 0, a, STR("d"), str_of(child), &hit);
}

TEST(levels)
{
    struct fixture f;
    begin(&f);
    struct value ana = value_dict(f.a);
    VALUE_SET(ana, "id", value_cstr("u1"));
    VALUE_SET(ana, "email", value_cstr("Ana@Example.org"));
    struct share link = add(&f, SHARE_TABLE, "t", SHARE_LINK, "");
    add(&f, SHARE_QUERY, "q", SHARE_PERSON, "ana@example.org");
    CHECK_INT(level(&f, VALUE_NULL, &link, ACTION_VIEW_TABLE, "t"), 2);
    CHECK_INT(level(&f, VALUE_NULL, NULL, ACTION_VIEW_TABLE, "t"), -1);
    CHECK_INT(level(&f, VALUE_NULL, &link, ACTION_VIEW_TABLE, "u"), -1);
    CHECK_INT(level(&f, VALUE_NULL, &link, ACTION_VIEW_QUERY, "t"), -1);
    CHECK_INT(level(&f, ana, NULL, ACTION_VIEW_QUERY, "q"), 2);
    CHECK_INT(level(&f, ana, NULL, ACTION_VIEW_TABLE, "q"), -1);
    VALUE_SET(ana, "email_verified", value_bool(false));
    CHECK_INT(level(&f, ana, NULL, ACTION_VIEW_QUERY, "q"), -1);
    add(&f, SHARE_DATABASE, "", SHARE_PERSON, "u1");
    CHECK_INT(level(&f, ana, NULL, ACTION_VIEW_DATABASE, ""), 1);
    CHECK_INT(level(&f, ana, NULL, ACTION_VIEW_TABLE, "anything"), 1);
    CHECK_INT(level(&f, ana, NULL, ACTION_VIEW_TABLE, "_history_anything"), -1);
    for (int a = 0; a < ACTION_COUNT; a++) /* nothing but looking */
        if (a != ACTION_VIEW_DATABASE && a != ACTION_VIEW_TABLE && a != ACTION_VIEW_QUERY)
            CHECK_INT(level(&f, ana, NULL, (enum action)a, "t"), -1);
    end(&f);
}

TEST(links_and_changes)
{
    struct fixture f;
    struct err err = ERR_INIT;
    struct share found;
    begin(&f);
    struct share link = add(&f, SHARE_TABLE, "t", SHARE_LINK, "");
    str token = shares_token(f.s, f.a, &link);
    CHECK_INT((int64_t)token.n, 22);
    CHECK(shares_find(f.s, f.a, token, &found) && str_eq(found.id, link.id));
    CHECK(!shares_find(f.s, f.a, STR(""), &found));
    uint64_t before = shares_generation(f.s, NOW);
    shares_used(f.s, link.id);
    CHECK(shares_generation(f.s, NOW) == before); /* counting drops no answers */
    CHECK(shares_get(f.s, f.a, link.id, &found));
    CHECK_INT(found.uses, 1);
    CHECK(shares_change(f.s, link.id, &(struct share_change){.new_link = true}, &err) == STATUS_OK);
    CHECK(!shares_find(f.s, f.a, token, &found));
    CHECK_INT(level(&f, VALUE_NULL, &link, ACTION_VIEW_TABLE, "t"), -1);
    CHECK(shares_get(f.s, f.a, link.id, &found));
    CHECK_INT(found.version, 2);
    CHECK_INT(found.uses, 1);
    CHECK_INT(level(&f, VALUE_NULL, &found, ACTION_VIEW_TABLE, "t"), 2);
    CHECK(shares_change(f.s, link.id, &(struct share_change){.withdraw = true}, &err) == STATUS_OK);
    CHECK_INT(level(&f, VALUE_NULL, &found, ACTION_VIEW_TABLE, "t"), -1);
    CHECK(shares_change(f.s, link.id, &(struct share_change){.set_until = true}, &err) == STATUS_NOT_FOUND);
    CHECK(shares_change(f.s, link.id, &(struct share_change){.restore = true}, &err) == STATUS_OK);
    CHECK_INT(level(&f, VALUE_NULL, &found, ACTION_VIEW_TABLE, "t"), 2);
    CHECK(shares_generation(f.s, NOW) > before);
    end(&f);
}

TEST(end_of_a_public_share)
{
    struct fixture f;
    struct err err = ERR_INIT;
    begin(&f);
    int64_t now = clock_unix_s();
    struct share s = {
        .kind = SHARE_TABLE, .database = STR("d"), .name = STR("t"), .audience = SHARE_PUBLIC, .until = now + 1000};
    CHECK(shares_add(f.s, f.a, &s, &err) == STATUS_OK);
    uint64_t before = shares_generation(f.s, now);
    CHECK(shares_generation(f.s, now + 999) == before);
    CHECK(shares_generation(f.s, now + 1000) == before + 1);
    CHECK(shares_generation(f.s, now + 1001) == before + 1);
    end(&f);
}

TEST(attempts)
{
    struct fixture f;
    begin(&f);
    int64_t wait_s = 0;
    for (int i = 0; i < 10 && !wait_s; i++)
        wait_s = shares_take_attempt(f.s, STR("id"), STR("192.0.2.1"));
    CHECK(wait_s > 0);
    CHECK_INT(shares_take_attempt(f.s, STR("id"), STR("192.0.2.2")), 0);
    CHECK_INT(shares_take_attempt(f.s, STR("other"), STR("192.0.2.1")), 0);
    end(&f);
}

/* A thousand addresses are no thousand times faster; who knows the password takes nothing away. */
TEST(attempts_of_many)
{
    struct fixture f;
    char client[32];
    int taken = 0;
    begin(&f);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(client, sizeof client, "10.0.%d.%d", i / 250, i % 250);
        taken += shares_take_attempt(f.s, STR("id"), str_of(client)) == 0;
        if (i < 50)
            shares_attempt_was_right(f.s, STR("id"), str_of(client));
    }
    CHECK(taken >= 150 && taken < 300);
    CHECK_INT(shares_take_attempt(f.s, STR("other"), STR("10.0.0.1")), 0);
    end(&f);
}
