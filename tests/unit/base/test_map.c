/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"
#include "test.h"

static str key_of(unsigned i, char text[16])
{
    return str_make(text, (size_t)snprintf(text, 16, "k%u", i));
}

TEST(map_put_get_remove)
{
    static int one, two;
    struct map *m = map_new();
    CHECK(map_get(m, STR("a")) == NULL && !map_has(m, STR("a")));
    CHECK(map_remove(m, STR("a")) == NULL);
    CHECK(map_put(m, STR("a"), &one) == NULL);
    CHECK(map_put(m, STR("a"), &two) == &one);
    CHECK_INT(map_count(m), 1);
    CHECK(map_get(m, STR("a")) == &two);
    CHECK(map_put(m, STR(""), &one) == NULL); /* the empty key is a key */
    CHECK(map_put(m, STR("nul\0x"), NULL) == NULL);
    CHECK(map_has(m, STR("nul\0x")) && !map_has(m, STR("nul")));
    CHECK(map_get(m, (str){NULL, 0}) == &one);
    CHECK(map_remove(m, STR("a")) == &two);
    CHECK(!map_has(m, STR("a")));
    CHECK_INT(map_count(m), 2);
    map_free(m);
    map_free(NULL);
}

TEST(map_against_an_array)
{
    enum { KEYS = 500, STEPS = 60000 };
    static char values[KEYS][2];
    void *want[KEYS] = {0};
    size_t live = 0;
    char text[16];
    uint32_t random = 12345;
    struct map *m = map_new();
    for (int step = 0; step < STEPS; step++) {
        random = random * 1664525 + 1013904223;
        unsigned i = random >> 8 & 511, what = random >> 28;
        if (i >= KEYS)
            continue;
        if (what < 8) {
            void *value = &values[i][what & 1];
            CHECK(map_put(m, key_of(i, text), value) == want[i]);
            live += !want[i];
            want[i] = value;
        } else if (what < 15) {
            CHECK(map_remove(m, key_of(i, text)) == want[i]);
            live -= want[i] != NULL;
            want[i] = NULL;
        } else if (step % 977 == 0) {
            map_clear(m);
            memset(want, 0, sizeof(want));
            live = 0;
        } else {
            CHECK(map_get(m, key_of(i, text)) == want[i]);
        }
        CHECK_INT(map_count(m), live);
    }
    for (unsigned i = 0; i < KEYS; i++)
        CHECK(map_get(m, key_of(i, text)) == want[i]);
    map_free(m);
}

TEST(map_iterates_in_order_of_insertion)
{
    struct map *m = map_new();
    char text[16], want[16];
    static char value;
    for (unsigned i = 0; i < 1000; i++)
        (void)map_put(m, key_of(i, text), &value);
    for (unsigned i = 0; i < 1000; i += 2)
        (void)map_remove(m, key_of(i, text));
    (void)map_put(m, STR("k1"), NULL); /* replaced: keeps its place */
    (void)map_put(m, STR("k0"), NULL); /* removed and put again: last */
    size_t pos = 0, seen = 0;
    str key;
    void *at;
    while (map_next(m, &pos, &key, &at)) {
        CHECK_STRS(key, seen == 500 ? STR("k0") : key_of((unsigned)seen * 2 + 1, want));
        CHECK((at == NULL) == (seen == 0 || seen == 500));
        seen++;
        (void)map_remove(m, key); /* allowed while walking */
    }
    CHECK_INT(seen, 501);
    CHECK_INT(map_count(m), 0);
    pos = 0;
    CHECK(!map_next(m, &pos, NULL, NULL));
    map_free(m);
}
