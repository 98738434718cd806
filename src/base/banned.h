/* SPDX-License-Identifier: Apache-2.0 */
/* banned: C library calls that have no place here; using one does not compile.
 *
 *   strcpy strcat sprintf vsprintf gets   no bound: use arena_printf, buf_printf, snprintf
 *   strtok                                hidden state: use str_cut
 *   atoi atol atoll atof                  no error: use str_to_i64
 *   gmtime localtime ctime asctime        shared result: use base/clock.h or the _r forms
 *   system popen                          a shell between us and the outside: use rt/proc.h
 *   rand srand                            guessable
 *   tmpnam mktemp                         a race: use mkostemp
 *
 * The headers that declare them come first, since a poisoned name may not even be declared again. */
#ifndef VITRINE_BASE_BANNED_H
#define VITRINE_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Some of them are macros where the C library adds checks. */
#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi atol atoll atof
#pragma GCC poison gmtime localtime ctime asctime system popen rand srand tmpnam mktemp

#endif
