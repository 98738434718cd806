/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "base/log.h"
#include "base/sm.h"
#include "die.h"
#include "test.h"

enum { IDLE, OPENING, OPEN, CLOSING, CLOSED, STATES };
static const struct sm_state door[STATES] = {
    [IDLE] = {"idle", SM_TO(OPENING), SM_INITIAL},
    [OPENING] = {"opening", SM_TO(OPEN) | SM_TO(CLOSED), 0},
    [OPEN] = {"open", SM_TO(OPEN) | SM_TO(CLOSING), SM_INITIAL},
    [CLOSING] = {"closing", SM_TO(CLOSED) | SM_TO(OPENING), 0},
    [CLOSED] = {"closed", 0, SM_FINAL},
};

static unsigned edge_from, edge_to;
static void try_edge(void)
{
    struct sm sm;
    sm_init(&sm, "door", door, STATES, IDLE);
    sm.state = (uint8_t)edge_from;
    sm_move(&sm, edge_to);
}

TEST(sm_walks_every_edge_and_no_other)
{
    unsigned allowed = 0;
    for (edge_from = 0; edge_from < STATES; edge_from++) {
        for (edge_to = 0; edge_to < STATES + 1; edge_to++) {
            struct sm sm;
            sm_init(&sm, "door", door, STATES, IDLE);
            sm.state = (uint8_t)edge_from;
            if (sm_may(&sm, edge_to)) {
                sm_move(&sm, edge_to);
                CHECK_INT(sm_state(&sm), edge_to);
                CHECK_INT(sm.moves, 1);
                allowed++;
            } else {
                CHECK(die_says(try_edge, "door #"));
            }
        }
    }
    CHECK_INT(allowed, 7);
}

static void come_a_long_way(void)
{
    struct sm sm;
    sm_init(&sm, "door", door, STATES, IDLE);
    sm_move(&sm, OPENING);
    for (int i = 0; i < 6; i++)
        sm_move(&sm, i == 0 ? OPEN : i == 5 ? CLOSING : OPEN);
    sm_move(&sm, OPENING);
    sm_move(&sm, CLOSED);
    sm_move(&sm, IDLE);
}

TEST(sm_message_tells_the_way)
{
    CHECK(
        die_says(come_a_long_way,
                 "may not go from closed to idle; it came by opening open open open open open closing opening closed"));
}

static void start_in_the_middle(void)
{
    struct sm sm;
    sm_init(&sm, "door", door, STATES, CLOSING);
}

TEST(sm_starts_only_where_the_table_says)
{
    struct sm a, b;
    sm_init(&a, "door", door, STATES, OPEN);
    sm_init(&b, "door", door, STATES, IDLE);
    CHECK(a.id != b.id);
    CHECK_STR(str_of(sm_state_name(&a)), "open");
    CHECK(!sm_final(&a));
    CHECK(die_says(start_in_the_middle, "SM_INITIAL"));
}

TEST(sm_moves_are_traced)
{
    int fds[2];
    char text[256];
    struct sm sm;
    CHECK(pipe(fds) == 0);
    log_setup(LOG_DEBUG, LOG_TEXT, fds[1]);
    sm_init(&sm, "door", door, STATES, IDLE);
    sm_move(&sm, OPENING);
    ssize_t n = read(fds[0], text, sizeof(text));
    CHECK(n > 0);
    CHECK(str_find(str_make(text, (size_t)n), STR(": idle -> opening\n")) != STR_NPOS);
    log_setup(LOG_INFO, LOG_TEXT, 2);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

TEST(sm_table_faults_are_found)
{
    const char *why = "";
    unsigned at = 99;
    CHECK(sm_table_ok(door, STATES, &why, &at));
    static const struct {
        struct sm_state states[3];
        const char *why;
        unsigned at;
    } bad[] = {
        {{{"a", SM_TO(1), SM_INITIAL}, {NULL, 0, SM_FINAL}, {"c", 0, SM_FINAL}}, "it has no name", 1},
        {{{"a", SM_TO(1) | SM_TO(2), SM_INITIAL}, {"b", SM_TO(3), 0}, {"c", 0, SM_FINAL}},
         "an edge leaves the table",
         1},
        {{{"a", SM_TO(1) | SM_TO(2), SM_INITIAL}, {"b", 0, 0}, {"c", 0, SM_FINAL}},
         "it is not final but has no way out",
         1},
        {{{"a", SM_TO(1) | SM_TO(2), SM_INITIAL}, {"b", SM_TO(0), SM_FINAL}, {"c", 0, SM_FINAL}},
         "it is final but has a way out",
         1},
        {{{"a", SM_TO(1), SM_INITIAL}, {"b", 0, SM_FINAL}, {"c", 0, SM_FINAL}}, "no initial state leads to it", 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!sm_table_ok(bad[i].states, 3, &why, &at));
        CHECK_STR(str_of(why), bad[i].why);
        CHECK_INT(at, bad[i].at);
    }
}
