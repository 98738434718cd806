/* SPDX-License-Identifier: Apache-2.0 */
/* clock: monotonic time for deadlines, Unix time for people. Units are in the names. */
#ifndef VITRINE_BASE_CLOCK_H
#define VITRINE_BASE_CLOCK_H

#include "base/str.h"

int64_t clock_mono_us(void);
int64_t clock_thread_cpu_us(void); /* processor time of the calling thread */
int64_t clock_mono_ms(void);
int64_t clock_unix_us(void);
int64_t clock_unix_s(void);

#define CLOCK_HTTP_LEN 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7) */
#define CLOCK_ISO_LEN  24 /* "2026-01-31T23:59:59.123Z" */
void clock_format_http(int64_t unix_s, char out[CLOCK_HTTP_LEN + 1]);
void clock_format_iso_ms(int64_t unix_us, char out[CLOCK_ISO_LEN + 1]);
/* Reads the IMF-fixdate form and the two obsolete forms; false when it is none of them. */
bool clock_parse_http(str s, int64_t *ret_unix_s) MUST_USE;

#endif
