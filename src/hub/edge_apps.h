/* SPDX-License-Identifier: Apache-2.0 */
/* edge_apps: what the edge is asked: spaces as its apps. Everything here blocks until the edge has done it. */
#ifndef VITRINE_HUB_EDGE_APPS_H
#define VITRINE_HUB_EDGE_APPS_H

#include "codec/value.h"
#include "hub/hub.h"

/* Makes the app of a space, or changes it to what hub.db says now (hosts, program, quota), or removes it when hub.db
 * says that it is deleted or unknown; returns when it answers. One change of a space at a time, of whatever process; a
 * failure is mended by space_reconcile. asleep: nothing is started, the first request does. c: in no transaction. */
enum status edge_apps_put(struct hub *h, struct conn *c, str space_id, bool asleep, struct err *err) MUST_USE;
/* The same, but what is so already is not touched. app: what edge_apps_list says of it, or UNDEFINED. BUSY: the edge is
 * at a change of it. */
enum status edge_apps_settle(struct hub *h, struct conn *c, str space_id, struct value app, bool *ret_changed,
                             struct err *err) MUST_USE;
/* Whether what the edge says that an app is (DICT, or anything: there is none) is what it is wanted to be. Pure. */
bool edge_apps_same(struct value wanted, struct value is);
enum status edge_apps_remove(struct hub *h, str space_id, struct err *err) MUST_USE; /* not there: OK */
/* `vitrine WORDS` (LIST of STR) to its end, as the space's user in the space's sandbox: it sees the space's folder and
 * may write `writable` too (empty: none). Fails with the program's own words, sentence and remedy: IO, TIMEOUT.
 * Blocks. */
enum status edge_apps_run(struct hub *h, struct arena *a, str space_id, str writable, struct value words,
                          int64_t timeout_ms, struct err *err) MUST_USE;
/* The system's user that a space's processes are: one of its own where we are root, else ours. */
unsigned edge_apps_user(str space_id);
/* A word of a shell command: no byte of it means anything to the shell. */
str edge_apps_quoted(struct arena *a, str word);
/* The program of a version, "" being the hub's own. */
str edge_apps_program(struct hub *h, struct arena *a, str version);
/* DICT: name of the app -> what the edge says of it, of all spaces. */
enum status edge_apps_list(struct hub *h, struct arena *a, struct value *ret, struct err *err) MUST_USE;
/* Whether an app of somebody else than this space answers for the host, by name or by "*.". The edge itself lets two.
 */
enum status edge_apps_host_taken(struct hub *h, str host, str space_id, bool *ret, struct err *err) MUST_USE;
str edge_apps_name(struct arena *a, str space_id); /* "s-abc..." */

#endif
