/* SPDX-License-Identifier: Apache-2.0 */
/* space.json: what is read strictly, what is left out, what of a later version is ignored; shades of the theme. */
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fs.h"
#include "base/limits.h"
#include "site/space/space.h"
#include "site/space/theme.h"
#include "test.h"

#define KEY "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"
#define START                                                                                                          \
    "{\"id\": \"sabc\", \"name\": \"museum\", \"origin\": \"https://museum.example.org\", \"hub\": "                   \
    "\"https://example.org\", "
#define KEYS    "\"keys\": [{\"id\": \"1\", \"ed25519\": \"" KEY "\"}]"
#define MEMBERS "\"members\": {\"u1\": {\"role\": \"owner\", \"name\": \"Ana\"}}"
#define GOOD    START KEYS ", " MEMBERS ", \"visibility\": \"private\""

static struct space *parse(const char *text, struct err *err)
{
    struct space *sp = NULL;
    enum status st = space_parse(str_of(text), &sp, err);
    CHECK((st == STATUS_OK) == (sp != NULL));
    return sp;
}

TEST(a_space)
{
    struct err err = ERR_INIT;
    struct arena *a = arena_new(0);
    struct space *sp =
        parse(GOOD ", \"title\": \"City museum\", \"revoked\": {\"z1\": 5}, \"theme\": {\"accent\": \"#1b6e53\","
                   " \"logo\": \"logo.png\"}, \"quota\": {\"disk_bytes\": 7, \"sql_ms\": 8,"
                   " \"requests_per_minute\": 9}, \"suspended\": \"unpaid\", \"of a later version\": [1]}",
              &err);
    CHECK(sp != NULL);
    CHECK_STR(sp->title, "City museum");
    CHECK(sp->https && !sp->people.is_public && sp->suspended);
    CHECK_STR(sp->suspended_why, "unpaid");
    CHECK_STR(sp->accent, "#1b6e53");
    CHECK_STR(sp->logo, "logo.png");
    CHECK_INT(sp->disk_bytes, 7);
    CHECK_INT(sp->sql_ms, 8);
    CHECK_INT(sp->requests_per_minute, 9);
    CHECK_INT(sp->key_count, 1);
    CHECK(space_is_revoked(sp, STR("z1")) && !space_is_revoked(sp, STR("z2")));
    CHECK_STR(space_owners(sp, a), "Ana");
    space_unref(sp);

    sp = parse(GOOD ", \"suspended\": true, \"suspended_for\": \"unpaid\"}", &err);
    CHECK(sp->suspended);
    CHECK_STR(sp->suspended_why, "unpaid");
    space_unref(sp);

    sp = parse(GOOD "}", &err);
    CHECK_STR(sp->title, "museum");
    CHECK(!sp->suspended && !sp->disk_bytes && !sp->accent.n && !space_is_revoked(sp, STR("z1")));
    space_unref(sp);
    space_unref(NULL);
    arena_free(a);
}

TEST(wrong_ones_name_their_key)
{
    static const char *const wrong[][2] = {
        {"", "line"},
        {"[]", "object"},
        {"{}", "\"id\""},
        {START KEYS ", " MEMBERS "}", "\"visibility\""},
        {START KEYS ", " MEMBERS ", \"visibility\": \"PUBLIC\"}", "\"visibility\""},
        {START KEYS ", \"visibility\": \"public\"}", "\"members\""},
        {START KEYS ", \"members\": {\"u1\": \"owner\"}, \"visibility\": \"public\"}", "\"members\""},
        {START MEMBERS ", \"visibility\": \"public\"}", "\"keys\""},
        {START "\"keys\": [{\"id\": \"1\", \"ed25519\": \"short\"}], " MEMBERS ", \"visibility\": \"public\"}",
         "\"keys\""},
        {GOOD ", \"revoked\": [\"z1\"]}", "\"revoked\""},
        {GOOD ", \"quota\": {\"sql_ms\": -1}}", "\"sql_ms\""},
        {GOOD ", \"quota\": {\"disk_bytes\": \"1 GB\"}}", "\"disk_bytes\""},
        {GOOD ", \"suspended\": 1}", "\"suspended\""},
        {"{\"id\": \"s/../x\"}", "\"id\""},
        {"{\"id\": \"s\", \"name\": \"m\", \"origin\": \"https://x/\"}", "\"origin\""},
        {"{\"id\": \"s\", \"name\": \"m\", \"origin\": \"https://x\\r\\ny\"}", "\"origin\""},
        {"{\"id\": \"s\", \"name\": \"m\", \"origin\": \"javascript:x\"}", "\"origin\""},
        {"{\"id\": \"s\", \"name\": \"m\", \"origin\": \"https://x\"}", "\"hub\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct err err = ERR_INIT;
        CHECK(!parse(wrong[i][0], &err));
        if (!strstr(err.text, wrong[i][1]))
            test_fail(__FILE__, __LINE__, "%s: %s", wrong[i][0], err.text);
    }
}

/* What only decorates, and what a later version may say, holds up nothing. */
TEST(what_is_left_out)
{
    struct err err = ERR_INIT;
    struct space *sp =
        parse(START "\"keys\": [{\"id\": \"2\", \"p256\": \"...\"}, {\"id\": \"1\", \"ed25519\": \"" KEY "\"}],"
                    " \"members\": {\"u1\": {\"role\": \"emperor\"}}, \"visibility\": \"public\","
                    " \"theme\": {\"accent\": \"red;}\", \"logo\": \"../x.png\"}}",
              &err);
    CHECK(sp != NULL);
    CHECK_INT(sp->key_count, 1);
    CHECK_STR(sp->keys[0].id, "1");
    CHECK(!sp->accent.n && !sp->logo.n);
    space_unref(sp);
}

TEST(limits_of_a_space)
{
    struct err err = ERR_INIT;
    struct arena *a = arena_new(0);
    char *id = arena_cstr(a, (str){0});
    id = arena_alloc(a, LIMIT_SPACE_ID + 2);
    memset(id, 'x', LIMIT_SPACE_ID + 1);
    CHECK(!parse(arena_printf(a, "{\"id\": \"%s\"}", id).p, &err));
    CHECK(strstr(err.text, "\"id\"") != NULL);
    id[LIMIT_SPACE_ID] = '\0';
    CHECK(!parse(arena_printf(a, "{\"id\": \"%s\"}", id).p, &err));
    CHECK(strstr(err.text, "\"name\"") != NULL);

    for (int more = 0; more < 2; more++) {
        str keys = STR("");
        for (int i = 0; i < LIMIT_SPACE_KEYS + more; i++)
            keys = arena_printf(a, "%.*s%s{\"id\": \"%d\", \"ed25519\": \"" KEY "\"}", STR_ARG(keys), i ? "," : "", i);
        str text = arena_printf(a, START "\"keys\": [%.*s], " MEMBERS ", \"visibility\": \"public\"}", STR_ARG(keys));
        struct space *sp = parse(text.p, &err);
        CHECK((sp == NULL) == (more == 1));
        space_unref(sp);
    }
    arena_free(a);
}

TEST(one_takes_the_place_of_another)
{
    struct err err = ERR_INIT;
    struct space *one = parse(GOOD "}", &err);
    struct arena *a = arena_new(0);
    char path[] = "/tmp/space-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    close(fd);
    CHECK_INT(fs_write_atomic(path, STR(GOOD "}"), 0600, &err), STATUS_OK);
    struct space_cell *c = space_cell_new(one, str_of(path));
    const struct space *held = space_cell_borrow(c, a), *same;
    CHECK(space_cell_stale(c));
    CHECK_INT(space_cell_read(c, &err), STATUS_OK);
    CHECK(!space_cell_stale(c));
    same = space_cell_borrow(c, a);
    CHECK(same == held); /* it says what it said */
    CHECK_INT(fs_write_atomic(path, STR(GOOD ", \"suspended\": true}"), 0600, &err), STATUS_OK);
    CHECK(space_cell_stale(c));
    CHECK_INT(space_cell_read(c, &err), STATUS_OK);
    CHECK(!held->suspended); /* still there */
    const struct space *now = space_cell_borrow(c, a);
    CHECK(now->suspended);
    CHECK_INT(fs_write_atomic(path, STR("{"), 0600, &err), STATUS_OK);
    CHECK(space_cell_read(c, &err) != STATUS_OK);
    CHECK_INT(space_cell_read(c, &err), STATUS_OK); /* told once */
    same = space_cell_borrow(c, a);
    CHECK(same == now);
    CHECK_INT(unlink(path), 0);
    CHECK(!space_cell_stale(c));
    CHECK_INT(space_cell_read(c, &err), STATUS_OK);
    arena_free(a);
    space_cell_free(c);
    space_cell_free(NULL);
    CHECK(space_cell_get(NULL) == NULL);
}

TEST(shades_can_be_read)
{
    static const char *const colors[] = {"#000000", "#ffffff", "#1b6e53", "#ffff00", "#FF00aa", "#123456", "#777777"};
    static const char *const light[] = {"#fbfbfa", "#ffffff", "#f3f4f3"}, *const dark[] = {"#14181b", "#1b2024",
                                                                                           "#20262b"};
    char shade[THEME_COLOR];
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(colors); i++) {
        for (size_t j = 0; j < ARRAY_LEN(light); j++) {
            theme_shade(str_of(colors[i]), false, shade);
            CHECK(theme_contrast(str_of(shade), str_of(light[j])) >= 4.5);
            theme_shade(str_of(colors[i]), true, shade);
            CHECK(theme_contrast(str_of(shade), str_of(dark[j])) >= 4.5);
        }
    }
    theme_shade(STR("#1b6e53"), false, shade);
    CHECK_STR(str_of(shade), "#1b6e53"); /* it can be read as it is */
    CHECK(theme_contrast(STR("#000000"), STR("#ffffff")) > 20.99);
    CHECK(str_find(theme_css(a, STR("#1b6e53")), STR("--accent:#1b6e53")) != STR_NPOS);
    CHECK(!theme_css(a, (str){0}).n);
    arena_free(a);
}
