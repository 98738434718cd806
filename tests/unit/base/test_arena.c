/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/limits.h"
#include "base/mem.h"
#include "die.h"
#include "test.h"

TEST(arena_aligns_and_zeroes)
{
    struct arena *a = arena_new(0);
    for (size_t size = 0; size < 40000; size = size * 3 + 1) {
        char *p = arena_alloc(a, size);
        CHECK((uintptr_t)p % 16 == 0);
        for (size_t i = 0; i < size; i++)
            CHECK(p[i] == 0);
        memset(p, 0xAA, size);
    }
    arena_reset(a);
    char *again = arena_alloc(a, 5000); /* memory that was dirty before the reset */
    for (size_t i = 0; i < 5000; i++)
        CHECK(again[i] == 0);
    arena_free(a);
    arena_free(NULL);
}

TEST(arena_blocks_do_not_overlap)
{
    enum { BLOCKS = 3000 };
    static unsigned char *blocks[BLOCKS];
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = i * 7919 % 700 + (i % 500 == 0 ? 100000 : 1);
        blocks[i] = arena_alloc_raw(a, size);
        memset(blocks[i], (int)(i % 251), size);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = i * 7919 % 700 + (i % 500 == 0 ? 100000 : 1);
        for (size_t k = 0; k < size; k++)
            CHECK(blocks[i][k] == i % 251);
    }
    arena_free(a);
}

TEST(arena_over_is_a_flag_not_a_wall)
{
    struct arena *a = arena_new(1000);
    (void)!arena_alloc(a, 900);
    CHECK(!arena_over(a));
    CHECK(arena_alloc(a, 200) != NULL);
    CHECK(arena_over(a));
    CHECK(arena_used(a) >= 1100);
    arena_reset(a);
    CHECK(!arena_over(a));
    CHECK_INT(arena_used(a), 0);
    CHECK(arena_alloc(a, 1000000) != NULL); /* a chunk of its own counts too */
    CHECK(arena_over(a));
    arena_free(a);
}

TEST(arena_grow_in_place_or_by_copy)
{
    struct arena *a = arena_new(0);
    char *p = arena_alloc(a, 16);
    memcpy(p, "0123456789abcdef", 16);
    char *q = arena_grow(a, p, 16, 4000);
    CHECK(q == p); /* the last one grows where it is */
    char *other = arena_alloc(a, 16);
    char *r = arena_grow(a, q, 4000, 8000);
    CHECK(r != q);
    CHECK(memcmp(r, "0123456789abcdef", 16) == 0);
    memset(r, 1, 8000);
    for (int i = 0; i < 16; i++)
        CHECK(other[i] == 0);
    CHECK(arena_grow(a, r, 8000, 100) == r); /* never shrinks */
    char *big = arena_grow(a, r, 8000, 1000000);
    CHECK(big[7999] == 1);
    memset(big, 2, 1000000);
    CHECK(arena_grow(a, NULL, 0, 10) != NULL);
    arena_free(a);
}

TEST(arena_vec_pushes)
{
    struct arena *a = arena_new(0);
    VEC(int) v = {0};
    for (int i = 0; i < 100000; i++)
        VEC_PUSH(a, &v, i);
    CHECK_INT(v.count, 100000);
    for (int i = 0; i < 100000; i++)
        CHECK_INT(v.items[i], i);
    arena_free(a);
}

static char order[16];
static size_t ordered;
static void note(void *arg)
{
    order[ordered++] = *(const char *)arg;
}

TEST(arena_defer_runs_last_in_first_out)
{
    struct arena *a = arena_new(0);
    static char names[] = "abcd";
    arena_defer(a, note, &names[0]);
    arena_defer(a, note, &names[1]);
    struct arena_mark mark = arena_mark(a);
    arena_defer(a, note, &names[2]);
    (void)!arena_alloc(a, 1000000);
    arena_rewind(a, mark);
    CHECK_STRS(str_make(order, ordered), STR("c"));
    arena_reset(a);
    CHECK_STRS(str_make(order, ordered), STR("cba"));
    arena_defer(a, note, &names[3]);
    arena_free(a);
    CHECK_STRS(str_make(order, ordered), STR("cbad"));
}

TEST(arena_rewind_takes_back_what_came_after)
{
    struct arena *a = arena_new(0);
    char *kept = arena_cstr(a, STR("kept"));
    struct arena_mark outer = arena_mark(a);
    size_t used = arena_used(a);
    char *first = arena_alloc(a, 100);
    struct arena_mark inner = arena_mark(a);
    for (int i = 0; i < 200; i++)
        memset(arena_alloc_raw(a, 1000 + (size_t)i * 1000), 7, 1000);
    arena_rewind(a, inner);
    memset(first, 1, 100);
    arena_rewind(a, outer);
    CHECK_INT(arena_used(a), used);
    CHECK(arena_alloc(a, 100) == first); /* the same place again */
    CHECK_STR(str_of(kept), "kept");
    arena_free(a);
}

TEST(arena_texts)
{
    struct arena *a = arena_new(0);
    CHECK_STR(arena_printf(a, "%d-%s", 42, "x"), "42-x");
    str wide = arena_printf(a, "%5000d", 7);
    CHECK_INT(wide.n, 5000);
    CHECK(wide.p[4999] == '7' && wide.p[5000] == '\0');
    CHECK_STR(ARENA_CAT(a, STR("a"), STR(""), STR("bc")), "abc");
    CHECK_STR(arena_str(a, (str){NULL, 0}), "");
    CHECK_STR(arena_lower(a, STR("A.Test")), "a.test");
    CHECK_STR(arena_lower(a, (str){NULL, 0}), "");
    str copy = arena_str(a, STR("with\0nul"));
    CHECK_INT(copy.n, 8);
    CHECK(copy.p[8] == '\0');
    CHECK(ARENA_ARRAY(a, int, 10)[9] == 0);
    arena_free(a);
}

static void overflow_array(void)
{
    struct arena *a = arena_new(0);
    (void)!arena_alloc_array(a, SIZE_MAX / 2, 3);
}
static void overflow_add(void)
{
    (void)size_add(SIZE_MAX, 1);
}

TEST(arena_size_overflow_aborts)
{
    CHECK(die_says(overflow_array, "assertion failed"));
    CHECK(die_says(overflow_add, "assertion failed"));
}

#ifdef DIE_ASAN
static void overrun(void)
{
    struct arena *a = arena_new(0);
    volatile char *p = arena_alloc(a, 32);
    p[32] = 1;
}
static void use_after_rewind(void)
{
    struct arena *a = arena_new(0);
    struct arena_mark mark = arena_mark(a);
    volatile char *p = arena_alloc(a, 32);
    arena_rewind(a, mark);
    p[0] = 1;
}

TEST(arena_overrun_is_reported_by_asan)
{
    CHECK(die_says(overrun, "use-after-poison"));
    CHECK(die_says(use_after_rewind, "use-after-poison"));
}
#endif
