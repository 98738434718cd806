/* SPDX-License-Identifier: Apache-2.0 */
/* die: runs fn in a child that is expected to end badly; true when it did and its stderr holds `text`. */
#ifndef VITRINE_TEST_DIE_H
#define VITRINE_TEST_DIE_H

#include <stdbool.h>

/* Set when built with AddressSanitizer, by either compiler. */
#if defined(__SANITIZE_ADDRESS__)
#define DIE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DIE_ASAN 1
#endif
#endif

bool die_says(void (*fn)(void), const char *text);

#endif
