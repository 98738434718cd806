/* SPDX-License-Identifier: Apache-2.0 */
/* fault: named places where a test can make the world fail. Nothing is left of them in a build without -Dfaults=true.
 *
 *   if (FAULT("listener.accept")) { errno = EMFILE; fd = -1; } else fd = accept4(...);
 *
 * VITRINE_FAULT="name:count[:action]" chooses, several separated by ','. count N fires on the Nth hit only, "N+" on the
 * Nth and all later ones. action: fail (default; FAULT is true), kill (SIGKILL to the process, as a power cut),
 * sleep:MS (waits, then goes on as if nothing was). The name is a string literal and unique to one place. Threads: any.
 * VITRINE_FAULT="@FILE": the plan stands in FILE, which is looked at at each hit: so a process that runs is armed. A
 * kill removes the file first. VITRINE_FAULT="list" prints the names of all points and ends the program. */
#ifndef VITRINE_RT_FAULT_H
#define VITRINE_RT_FAULT_H

#include "base/err.h"

struct fault_point { /* one per FAULT in the program, in a section of its own, so that the list needs no run */
    const char *name;
};

#if defined(VITRINE_FAULTS) && VITRINE_FAULTS
#define FAULT(literal)                                                                                                 \
    (__extension__({                                                                                                   \
        static const struct fault_point fault_point_here_ = {"" literal};                                              \
        static const struct fault_point *const fault_entry_here_ __attribute__((used, section("vitrine_faults"))) =    \
            &fault_point_here_;                                                                                        \
        fault_hit(fault_entry_here_->name);                                                                            \
    }))
#else
#define FAULT(literal) (false)
#endif

bool fault_hit(const char *name); /* what FAULT calls */
/* Replaces the plan; "" removes it. INVALID names the wrong part. The environment is read at the first hit; a wrong one
 * ends the process with a message, since a test that injects nothing proves nothing. Threads: any. */
enum status fault_plan(str text, struct err *err) MUST_USE;
/* Names of all fault points linked into the program, sorted, each once; fn(arg, name). None without VITRINE_FAULTS. */
void fault_list(void (*fn)(void *arg, const char *name), void *arg);
bool fault_compiled_in(void);

#endif
