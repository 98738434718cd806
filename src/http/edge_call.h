/* SPDX-License-Identifier: Apache-2.0 */
/* edge_call: asks the edge that runs with a state folder, over its control socket. Blocks. */
#ifndef VITRINE_HTTP_EDGE_CALL_H
#define VITRINE_HTTP_EDGE_CALL_H

#include "codec/value.h"

#define EDGE_CONTROL_SOCKET "control.sock" /* in the state folder */

/* The folder of --state, or $VITRINE_EDGE_STATE, $XDG_STATE_HOME/vitrine/edge, ~/.local/state/vitrine/edge. Empty when
 * there is no HOME. */
str edge_state_folder(struct arena *a, str given);
/* One request. body UNDEFINED: none. ret: the JSON of the answer; text answers as STR. Returns OK, NOT_FOUND (no edge
 * runs there), or what the edge answered. */
enum status edge_call(struct arena *a, str state, const char *method, str path, struct value body, struct value *ret,
                      struct err *err) MUST_USE;
/* edge_call for what answers with a job; prints its lines on stderr unless quiet, and returns as the job ended. */
enum status edge_do(struct arena *a, str state, str path, struct value body, bool quiet, struct err *err) MUST_USE;

#endif
