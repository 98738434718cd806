/* SPDX-License-Identifier: Apache-2.0 */
/* clock_jump: the wall clock is set, by people and by programs, while we run. What stands in clock.c for that.
 *
 * In programs with fault points, $VITRINE_CLOCK names a file of eight bytes: seconds (int64_t, this machine's order)
 * that clock_unix_* are off. It is mapped: who writes to it sets the clock of all that run. Any thread. */
#ifndef VITRINE_BASE_CLOCK_JUMP_H
#define VITRINE_BASE_CLOCK_JUMP_H

#include "base/clock.h"

int64_t clock_boot_s(void); /* monotonic, and goes on while the machine sleeps */
/* Seconds since a time that was noted by the wall clock. One that lies ahead was noted before the clock was set back:
 * then it is INT64_MAX, older than anything. (A minute ahead is now: clocks are corrected a little all the time.) */
int64_t clock_age_s(int64_t then_unix_s, int64_t now_unix_s);

#endif
