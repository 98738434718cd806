/* SPDX-License-Identifier: Apache-2.0 */
/* A small self-registering test runner: TEST(name) { CHECK(...); }. Each test runs in a forked child with a timeout and
 * a check for leaked file descriptors; output is TAP. The runner's main() is in test.c. */
#ifndef VITRINE_TEST_H
#define VITRINE_TEST_H

#include <stdbool.h>
#include <stdio.h>

#include "base/str.h"

struct test {
    const char *name;
    void (*fn)(void);
    struct test *next;
};

void test_register(struct test *t);
void test_fail(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4) NORETURN;
void test_check_str(const char *file, int line, str got, str want);

#define TEST(id)                                                                                                       \
    static void test_fn_##id(void);                                                                                    \
    static struct test test_##id = {#id, test_fn_##id, NULL};                                                          \
    __attribute__((constructor)) static void test_reg_##id(void)                                                       \
    {                                                                                                                  \
        test_register(&test_##id);                                                                                     \
    }                                                                                                                  \
    static void test_fn_##id(void)

#define CHECK(x)                                                                                                       \
    do {                                                                                                               \
        if (!(x))                                                                                                      \
            test_fail(__FILE__, __LINE__, "not true: %s", #x);                                                         \
    } while (0)
#define CHECK_STR(got, want)  test_check_str(__FILE__, __LINE__, (got), str_of(want))
#define CHECK_STRS(got, want) test_check_str(__FILE__, __LINE__, (got), (want))
#define CHECK_INT(got, want)                                                                                           \
    do {                                                                                                               \
        long long got_ = (long long)(got), want_ = (long long)(want);                                                  \
        if (got_ != want_)                                                                                             \
            test_fail(__FILE__, __LINE__, "%s: got %lld, want %lld", #got, got_, want_);                               \
    } while (0)

#endif
