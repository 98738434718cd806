/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/buf.h"
#include "die.h"
#include "test.h"

TEST(buf_puts_and_grows)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 1000; i++) {
        buf_puts(&b, STR("line "));
        buf_put_i64(&b, i);
        buf_putc(&b, '\n');
    }
    CHECK(!b.over);
    CHECK(str_starts(buf_str(&b), STR("line 0\nline 1\n")));
    CHECK(str_ends(buf_str(&b), STR("line 999\n")));
    CHECK_INT(b.n, 10 * 7 + 90 * 8 + 900 * 9);
    buf_release(&b);
    CHECK(b.p == NULL && b.n == 0 && b.max == 1 << 20);
}

TEST(buf_numbers)
{
    static const int64_t values[] = {0,   1,    -1,   9,     10,        99,        100,       -100,
                                     101, 9999, -999, 12345, INT64_MAX, INT64_MIN, INT32_MIN, 1000000000000};
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char want[32];
        (void)snprintf(want, sizeof(want), "%lld", (long long)values[i]);
        buf_clear(&b);
        buf_put_i64(&b, values[i]);
        CHECK_STR(buf_str(&b), want);
        (void)snprintf(want, sizeof(want), "%llu", (unsigned long long)values[i]);
        buf_clear(&b);
        buf_put_u64(&b, (uint64_t)values[i]);
        CHECK_STR(buf_str(&b), want);
    }
    buf_release(&b);
}

TEST(buf_over_is_sticky_and_ignores_the_rest)
{
    struct buf b;
    buf_init(&b, 10);
    buf_puts(&b, STR("12345678"));
    CHECK(!b.over);
    buf_puts(&b, STR("abc")); /* 11 bytes: does not fit, and not in part */
    CHECK(b.over);
    CHECK_STR(buf_str(&b), "12345678");
    buf_putc(&b, 'x'); /* would fit by itself */
    buf_printf(&b, "%d", 1);
    buf_put_u64(&b, 1);
    CHECK(buf_reserve(&b, 1) == NULL);
    CHECK_STR(buf_str(&b), "12345678");
    buf_consume(&b, 6); /* room appears, the flag stays */
    buf_putc(&b, 'x');
    CHECK_STR(buf_str(&b), "78");
    buf_clear(&b);
    CHECK(!b.over);
    buf_puts(&b, STR("1234567890"));
    CHECK(!b.over);
    CHECK_STR(buf_str(&b), "1234567890");
    buf_release(&b);
}

TEST(buf_printf_at_the_exact_maximum)
{
    for (size_t max = 0; max < 300; max++) {
        struct buf b;
        buf_init(&b, max);
        buf_printf(&b, "%0200d", 5);
        CHECK(b.over == (max < 200));
        CHECK_INT(b.n, max < 200 ? 0 : 200);
        buf_printf(&b, "%s", "0123456789");
        CHECK(b.over == (max < 210));
        buf_release(&b);
    }
}

TEST(buf_reserve_then_count)
{
    struct buf b;
    buf_init(&b, 5000);
    char *at = buf_reserve(&b, 5000);
    CHECK(at != NULL);
    memset(at, 'z', 5000);
    b.n += 5000;
    CHECK(buf_reserve(&b, 1) == NULL);
    CHECK(b.over);
    buf_release(&b);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
TEST(buf_that_the_heap_refuses_is_over) /* not under sanitizers: their heap aborts */
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    CHECK(buf_reserve(&b, SIZE_MAX / 2) == NULL);
    CHECK(b.over);
    buf_release(&b);
}
#endif

TEST(buf_take_moves)
{
    struct buf from, to;
    buf_init(&from, 100);
    buf_init(&to, 50);
    buf_puts(&to, STR("old"));
    buf_puts(&from, STR("new"));
    buf_take(&to, &from);
    CHECK_STR(buf_str(&to), "new");
    CHECK(from.p == NULL && from.n == 0 && from.max == 100);
    buf_puts(&from, STR("again"));
    CHECK_STR(buf_str(&from), "again");
    buf_release(&from);
    buf_release(&to);
}

static void consume_too_much(void)
{
    struct buf b;
    buf_init(&b, 10);
    buf_puts(&b, STR("abc"));
    buf_consume(&b, 4);
}

TEST(buf_consume_from_the_front)
{
    struct buf b;
    buf_init(&b, 100);
    buf_puts(&b, STR("GET / HTTP/1.1"));
    buf_consume(&b, 4);
    CHECK_STR(buf_str(&b), "/ HTTP/1.1");
    buf_consume(&b, 0);
    buf_consume(&b, b.n);
    CHECK_INT(b.n, 0);
    buf_release(&b);
    CHECK(die_says(consume_too_much, "assertion failed: n <= b->n"));
}
