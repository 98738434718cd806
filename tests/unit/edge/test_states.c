/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/edge_impl.h"
#include "edge/worker_impl.h"
#include "test.h"

static void check_table(const char *name, const struct sm_state *states, unsigned count)
{
    const char *why = "";
    unsigned state = 0;
    if (!sm_table_ok(states, count, &why, &state))
        test_fail(__FILE__, __LINE__, "%s: state %u: %s", name, state, why);
}

TEST(the_tables_of_states_are_whole)
{
    check_table("edge_conn", edge_conn_states, EDGE_CONN_STATES);
    check_table("edge_request", edge_request_states, EDGE_REQUEST_STATES);
    check_table("upstream_conn", upstream_states, UPSTREAM_STATES);
    check_table("unit", unit_states, UNIT_STATES);
    check_table("life", life_states, LIFE_STATES);
    check_table("rest", rest_states, REST_STATES);
}
