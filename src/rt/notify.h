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
/* Name of the one at descriptor 3 + index: of the unit that listens, or as it was stored; "" when it has none. */
const char *notify_listen_name(int index);
/* Gives the service manager a copy of `fd` to keep under `name`: it comes back by notify_listen_fds when the process is
 * started again, also after a crash (FDSTORE; the unit needs FileDescriptorStoreMax=). Kept once, however often it is
 * given. False when nobody took it. */
bool notify_store(int fd, const char *name);
bool notify_forget(const char *name); /* what is kept under that name */

#endif
