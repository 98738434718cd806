/* SPDX-License-Identifier: Apache-2.0 */
/* plan_guess — one pass instead of two: types are guessed from a sample, rows are converted by them while the same pass
 * looks at every value, and at its end it is known whether the guess was right.
 *
 * A guess is wrong when a value shows that the column will be something else, judged by what the sample and the rows so
 * far allow together; or when the decision at the end differs for any reason. From the first wrong value on the pass
 * only looks (plan_step), so that at its end the plan is what a first pass would have made, and a second pass can
 * follow: a wrong guess costs the rows written so far, no more. Nothing that was written by a wrong guess is kept: the
 * text that made it wrong may be "007" below a thousand numbers, and what those looked like is gone.
 *
 * One change costs nothing: INTEGER that becomes REAL in a table that is new. SQLite stores a REAL without a fraction
 * as an integer anyway (fileformat2 2.1, "REAL affinity"), so the rows that are there read as they would have been
 * written, once the table is declared so (conn_redeclare). Integers that a double cannot hold make the column TEXT, not
 * REAL, and the guess wrong. Distinct values are counted alike for both (int_value_hash).
 *
 * Tests: tests/ingest/test_one_pass.py compares with two passes, any file at any length of sample. */
#include "ingest/plan_impl.h"

#include "base/banned.h"

void plan_guess(struct plan *p, const struct plan *sample)
{
    ASSERT(p->count == sample->count);
    p->guessed = true;
    for (size_t i = 0; i < p->count; i++) {
        const struct column_plan *from = &sample->columns[i];
        struct column_plan *c = &p->columns[i];
        c->type = from->type;
        c->date = from->date;
        c->given = from->given;
        c->forced = from->given && c->type != COLUMN_TEXT;
        c->guess_may = sample->may[i];
        p->any_forced |= c->forced;
    }
}

static void widen(struct column_plan *c)
{
    c->type = COLUMN_REAL;
    c->widened = true;
    c->min_f = (double)c->min_i;
    c->max_f = (double)c->max_i;
}

void plan_check_guess(struct plan *p, size_t column, unsigned may)
{
    struct column_plan *c = &p->columns[column];
    may &= c->guess_may;
    if (may & MAY_REAL && !(may & MAY_INT) && c->big)
        may = 0;
    struct plan_decision d = plan_decision_of(may, true, c->blob);
    bool same_type = c->given || d.type == c->type, same_date = d.date == c->date || (c->given && !c->date);
    if (same_type && same_date)
        return;
    if (c->may_widen && c->type == COLUMN_INTEGER && d.type == COLUMN_REAL)
        widen(c);
    else
        p->wrong = true;
}

static void forget_counts(struct column_plan *c)
{
    c->blank = c->last_hash = 0;
    c->any = c->widened = false;
    c->min = c->max = (struct plan_text){0};
    c->distinct = (struct distinct){0};
}

enum status plan_settle(struct plan *p, void (*again)(void *arg, struct plan *p), void *arg, bool *ret_right,
                        struct err *err)
{
    struct plan_decision *was = ARENA_ARRAY(p->arena, struct plan_decision, p->count + 1);
    bool right = !p->wrong;
    for (size_t i = 0; i < p->count; i++)
        was[i] = (struct plan_decision){.type = p->columns[i].type, .date = p->columns[i].date};
    p->guessed = p->wrong = false;
    enum status st = plan_decide(p, err);
    if (st != STATUS_OK)
        return st;
    if (right)
        again(arg, p);
    right &= !p->notes_from;
    for (size_t i = 0; i < p->count; i++)
        right &= was[i].type == p->columns[i].type && was[i].date == p->columns[i].date;
    for (size_t i = 0; i < p->count && !right; i++)
        forget_counts(&p->columns[i]);
    *ret_right = right;
    return STATUS_OK;
}
