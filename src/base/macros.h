/* SPDX-License-Identifier: Apache-2.0 */
/* Compiler attributes, ASSERT and small arithmetic used everywhere. */
#ifndef VITRINE_BASE_MACROS_H
#define VITRINE_BASE_MACROS_H

#define MUST_USE                __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN                __attribute__((noreturn))
#define LIKELY(x)               __builtin_expect(!!(x), 1)
#define UNLIKELY(x)             __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a)            (sizeof(a) / sizeof((a)[0]))
#define CLAMP(x, low, high)     ((x) < (low) ? (low) : (x) > (high) ? (high) : (x))
#define MIN(a, b)               ((a) < (b) ? (a) : (b))
#define MAX(a, b)               ((a) > (b) ? (a) : (b))

/* A bug, never the world: always compiled in; prints expression and place, aborts. */
#define ASSERT(x) (LIKELY(x) ? (void)0 : assert_failed(#x, __FILE__, __LINE__, __func__))
NORETURN void assert_failed(const char *expression, const char *file, int line, const char *function);

#include "base/banned.h"

#endif
