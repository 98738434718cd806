/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sm.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/log.h"

static atomic_uint_fast64_t next_id = 1;

void sm_init(struct sm *sm, const char *name, const struct sm_state *states, unsigned count, unsigned initial)
{
    ASSERT(count > 0 && count <= SM_MAX_STATES && initial < count);
    ASSERT(states[initial].flags & SM_INITIAL);
    *sm = (struct sm){.name = name, .states = states, .count = (uint8_t)count, .state = (uint8_t)initial};
    sm->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
}

bool sm_may(const struct sm *sm, unsigned to)
{
    return to < sm->count && (sm->states[sm->state].allowed & SM_TO(to)) != 0;
}

static NORETURN void sm_forbidden(const struct sm *sm, unsigned to)
{
    char text[1024];
    size_t size = sizeof(text), n = 0;
    const char *name = to < sm->count ? sm->states[to].name : "(no such state)";
    n += (size_t)snprintf(text, size, "vitrine: bug: %s #%llu may not go from %s to %s; it came by", sm->name,
                          (unsigned long long)sm->id, sm->states[sm->state].name, name);
    uint32_t from = sm->moves > SM_HISTORY ? sm->moves - SM_HISTORY : 0;
    for (uint32_t i = from; i < sm->moves && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, " %s", sm->states[sm->history[i % SM_HISTORY]].name);
    if (n < size)
        n += (size_t)snprintf(text + n, size - n, " %s\n", sm->states[sm->state].name);
    if (write(STDERR_FILENO, text, MIN(n, size - 1)) < 0)
        abort();
    abort();
}

void sm_move(struct sm *sm, unsigned to)
{
    if (UNLIKELY(!sm_may(sm, to)))
        sm_forbidden(sm, to);
    if (UNLIKELY(log_enabled(LOG_DEBUG)))
        log_line(LOG_DEBUG, "sm", "%s #%llu: %s -> %s", sm->name, (unsigned long long)sm->id,
                 sm->states[sm->state].name, sm->states[to].name);
    sm->history[sm->moves++ % SM_HISTORY] = sm->state;
    sm->state = (uint8_t)to;
}

bool sm_final(const struct sm *sm)
{
    return (sm->states[sm->state].flags & SM_FINAL) != 0;
}

const char *sm_state_name(const struct sm *sm)
{
    return sm->states[sm->state].name;
}

static const char *state_fault(const struct sm_state *s, unsigned count)
{
    if (!s->name)
        return "it has no name";
    if (count < SM_MAX_STATES && s->allowed >> count)
        return "an edge leaves the table";
    if ((s->flags & SM_FINAL) && s->allowed)
        return "it is final but has a way out";
    if (!(s->flags & SM_FINAL) && !s->allowed)
        return "it is not final but has no way out";
    return NULL;
}

bool sm_table_ok(const struct sm_state *states, unsigned count, const char **ret_why, unsigned *ret_state)
{
    ASSERT(count > 0 && count <= SM_MAX_STATES);
    uint64_t reached = 0, before;
    for (unsigned i = 0; i < count; i++) {
        const char *why = state_fault(&states[i], count);
        if (why) {
            *ret_why = why;
            *ret_state = i;
            return false;
        }
        if (states[i].flags & SM_INITIAL)
            reached |= SM_TO(i);
    }
    do {
        before = reached;
        for (unsigned i = 0; i < count; i++)
            if (reached & SM_TO(i))
                reached |= states[i].allowed;
    } while (reached != before);
    for (unsigned i = 0; i < count; i++) {
        if (!(reached & SM_TO(i))) {
            *ret_why = "no initial state leads to it";
            *ret_state = i;
            return false;
        }
    }
    return true;
}
