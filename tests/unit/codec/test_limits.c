/* SPDX-License-Identifier: Apache-2.0 */
/* The walls of codec/: what is at the limit passes, one more is refused or cut. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/limits.h"
#include "codec/csvread.h"
#include "codec/password.h"
#include "codec/value.h"
#include "codec/yaml.h"
#include "test.h"

static str nested(struct arena *a, size_t depth) /* [[[1]]] */
{
    char *text = arena_alloc_raw(a, 2 * depth + 1);
    memset(text, '[', depth);
    text[depth] = '1';
    memset(text + depth + 1, ']', depth);
    return str_make(text, 2 * depth + 1);
}

TEST(json_depth)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct value v;
    CHECK_INT(value_from_json(a, nested(a, LIMIT_JSON_DEPTH), &v, &err), STATUS_OK);
    struct buf out;
    buf_init(&out, 64u << 20);
    value_to_json(&out, v, 0);
    CHECK_STRS(buf_str(&out), nested(a, LIMIT_JSON_DEPTH));
    buf_release(&out);
    CHECK_INT(value_from_json(a, nested(a, LIMIT_JSON_DEPTH + 1), &v, &err), STATUS_INVALID);
    CHECK(strstr(err.text, "line 1 column 257") != NULL);
    arena_free(a);
}

TEST(yaml_depth)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct value v;
    CHECK_INT(value_from_yaml(a, nested(a, LIMIT_YAML_DEPTH), &v, &err), STATUS_OK);
    CHECK_INT(value_from_yaml(a, nested(a, LIMIT_YAML_DEPTH + 1), &v, &err), STATUS_INVALID);
    CHECK(strstr(err.text, "nested too deeply") != NULL);
    arena_free(a);
}

TEST(yaml_nodes)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct value v;
    struct buf text;
    buf_init(&text, 64u << 20);
    buf_puts(&text, STR("["));
    for (int i = 1; i < LIMIT_YAML_NODES; i++) /* the list is a value too */
        buf_puts(&text, STR("1,"));
    buf_puts(&text, STR("]"));
    CHECK_INT(value_from_yaml(a, buf_str(&text), &v, &err), STATUS_OK);
    CHECK_INT(value_count(v), LIMIT_YAML_NODES - 1);
    text.n--;
    buf_puts(&text, STR("1]"));
    CHECK_INT(value_from_yaml(a, buf_str(&text), &v, &err), STATUS_TOO_LARGE);
    CHECK(strstr(err.text, "more than 200000 values") != NULL);
    buf_release(&text);
    arena_free(a);
}

TEST(csv_cells)
{
    struct csvread r;
    csvread_init(&r, ',', '"');
    CHECK_INT(r.cells_max, LIMIT_CSV_CELLS);
    for (int more = 0; more <= 1; more++) {
        size_t n = LIMIT_CSV_CELLS + (size_t)more, used; /* commas and a line feed: as many cells */
        char *text = calloc(1, n + CSVREAD_PAD);
        struct rows rows = {0};
        struct err err = ERR_INIT;
        memset(text, ',', n - 1);
        text[n - 1] = '\n';
        csvread_init(&r, ',', '"');
        CHECK_INT(csvread_block(&r, text, n, true, &rows, &used, &err), more ? STATUS_TOO_LARGE : STATUS_OK);
        rows_release(&rows);
        free(text);
    }
}

TEST(value_text)
{
    struct arena *a = arena_new(0);
    struct value list = value_list(a);
    char *word = arena_alloc_raw(a, 1 << 20);
    memset(word, 'x', 1 << 20);
    for (int i = 0; i < (LIMIT_VALUE_TEXT >> 20) + 1; i++)
        value_push(list, value_str(str_make(word, 1 << 20)));
    CHECK_INT(value_to_str(a, list).n, LIMIT_VALUE_TEXT);
    arena_free(a);
}

/* What each sign-in would pay is refused when the configuration is read; tests/unit/codec/test_password.c has the
 * hashes that lie one above. Here: those at the wall are taken. */
TEST(password_costs)
{
    struct err err = ERR_INIT;
    char text[200];
    const char *hash = "$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ";
    snprintf(text, sizeof text,
             "pbkdf2_sha256$%d$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs=", LIMIT_PASSWORD_ROUNDS);
    CHECK_INT(password_check(str_of(text), &err), STATUS_OK);
    snprintf(text, sizeof text, "$argon2id$v=19$m=%d,t=%d,p=%d%s", LIMIT_PASSWORD_KIB, LIMIT_PASSWORD_PASSES,
             LIMIT_PASSWORD_LANES, hash);
    CHECK_INT(password_check(str_of(text), &err), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "$argon2id$v=19$m=%d,t=%d,p=%d%s", LIMIT_PASSWORD_KIB + (i == 0),
                 LIMIT_PASSWORD_PASSES + (i == 1), LIMIT_PASSWORD_LANES + (i == 2), hash);
        CHECK_INT(password_check(str_of(text), &err), STATUS_INVALID);
    }
}
