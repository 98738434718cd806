/* SPDX-License-Identifier: Apache-2.0 */
/* sm: state machines as tables. A table has one row a state: its name, the states it may go to, flags. A move that the
 * table does not allow is a bug and aborts with the machine's name, its last states and the forbidden edge.
 *
 *   enum { OPEN, CLOSING, CLOSED, STATES };
 *   static const struct sm_state conn_states[STATES] = {
 *       [OPEN] = {"open", SM_TO(CLOSING) | SM_TO(CLOSED), SM_INITIAL},
 *       [CLOSING] = {"closing", SM_TO(CLOSED), 0},
 *       [CLOSED] = {"closed", 0, SM_FINAL},
 *   };
 *   sm_init(&c->sm, "conn", conn_states, STATES, OPEN);
 *   sm_move(&c->sm, CLOSING);
 *
 * Every move is a debug line of the log (component "sm"). One thread at a time owns a machine. Never blocks. */
#ifndef VITRINE_BASE_SM_H
#define VITRINE_BASE_SM_H

#include "base/str.h"

#define SM_MAX_STATES 64
#define SM_HISTORY    8 /* states remembered for the message of a failed move */

#define SM_TO(state) (UINT64_C(1) << (state))
enum sm_flag { SM_INITIAL = 1, SM_FINAL = 2 };

struct sm_state {
    const char *name;
    uint64_t allowed; /* SM_TO(x) | SM_TO(y): where it may go from here; 0 for a final state */
    unsigned flags;   /* enum sm_flag */
};

struct sm {
    const char *name; /* of the machine; static */
    const struct sm_state *states;
    uint64_t id; /* unique in the process, to tell machines of one kind apart in the log */
    uint32_t moves;
    uint8_t count, state;
    uint8_t history[SM_HISTORY]; /* ring: state before move k at [k % SM_HISTORY] */
};

/* `name` and `states` are static. `initial` must carry SM_INITIAL. */
void sm_init(struct sm *sm, const char *name, const struct sm_state *states, unsigned count, unsigned initial);
void sm_move(struct sm *sm, unsigned to); /* aborts when the table has no such edge */
bool sm_may(const struct sm *sm, unsigned to);
bool sm_final(const struct sm *sm);
static inline unsigned sm_state(const struct sm *sm)
{
    return sm->state;
}
const char *sm_state_name(const struct sm *sm);

/* For the unit test of a table: every state has a name, some state is initial, final states have no way out and others
 * have one, no edge leaves the table, every state is reachable. False with the reason in *ret_why (static text) and the
 * state in *ret_state. */
bool sm_table_ok(const struct sm_state *states, unsigned count, const char **ret_why, unsigned *ret_state) MUST_USE;

#endif
