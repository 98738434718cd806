/* SPDX-License-Identifier: Apache-2.0 */
/* notify: the service manager's side of a process: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3), which are a
 * datagram and three environment variables. Everything does nothing where there is no service manager. */
#ifndef VITRINE_RT_NOTIFY_H
#define VITRINE_RT_NOTIFY_H

#include "base/str.h"

/* Sends "READY=1", "STOPPING=1" ..., several lines at once. Never blocks; false when nobody took it. Any thread. */
bool notify_send(const char *state);
/* "RELOADING=1" with the time that Type=notify-reload wants. */
bool notify_reloading(void);
/* Microseconds within which "WATCHDOG=1" is expected again and again; 0 = never. */
int64_t notify_watchdog_us(void);
/* Sockets handed over begin at descriptor 3: how many. They are made close-on-exec, and the environment forgets them.
 * At start, once. */
int notify_listen_fds(void);

#endif
