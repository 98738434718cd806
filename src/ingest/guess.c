/* SPDX-License-Identifier: Apache-2.0 */
/* guess — types from the head of a file and windows all over it, for one pass instead of two (plan_guess.c).
 *
 * A window begins at the first line end after its offset. That may be inside of a quoted cell: rows of another width
 * than the header are left out, and a window of mostly such rows counts for nothing. A wrong guess costs time, never
 * rows. */
#include "base/limits.h"
#include "ingest/load.h"

#include "base/banned.h"

struct sample {
    struct ingest *ingest;
    struct plan *plan;
    struct batch batch;
    bool all; /* the head was the file */
};

static bool look_at_head(struct sample *s)
{
    const struct ingest *l = s->ingest;
    struct input *in = l->input;
    uint64_t rows = (uint64_t)l->options->sample_rows;
    int blocks = in->seekable ? 1 : LIMIT_INGEST_GUESS_BLOCKS;
    if (input_start(in, NULL) != STATUS_OK)
        return false;
    for (int i = 0; !s->all && i < blocks && (!rows || s->plan->rows < rows); i++) {
        batch_clear(&s->batch);
        if (in->class->fill(in, &s->batch, NULL) != STATUS_OK)
            return false;
        bool cut = rows && s->batch.rows.row_count > rows - s->plan->rows;
        if (cut)
            s->batch.rows.row_count = (size_t)(rows - s->plan->rows);
        plan_columns(s->plan, s->batch.columns, s->batch.column_count);
        plan_look(s->plan, &s->batch);
        s->all = s->batch.last && !cut;
    }
    return true;
}

static bool look_at_windows(struct sample *s)
{
    struct input *in = s->ingest->input;
    uint64_t size = s->ingest->source->size_bytes, step = size / (LIMIT_INGEST_GUESS_WINDOWS + 1);
    for (uint64_t i = 1; i <= LIMIT_INGEST_GUESS_WINDOWS; i++) {
        bool last = i == LIMIT_INGEST_GUESS_WINDOWS && size > LIMIT_INGEST_GUESS_WINDOW;
        batch_clear(&s->batch);
        if (in->class->window(in, last ? size - LIMIT_INGEST_GUESS_WINDOW : i * step, &s->batch, NULL) != STATUS_OK)
            return false;
        plan_look(s->plan, &s->batch);
    }
    return true;
}

void guess(struct ingest *l, bool *ret_all, bool *ret_fit)
{
    struct sample s = {.ingest = l, .plan = plan_new(l->arena, l->options)};
    bool by_windows = l->input->seekable && !l->options->sample_rows;
    plan_columns(s.plan, l->input->columns.items, l->input->columns.count);
    batch_init(&s.batch);
    bool fit = look_at_head(&s);
    if (fit && !s.all && by_windows)
        fit = look_at_windows(&s);
    batch_release(&s.batch);
    *ret_all = fit && s.all;
    if (*ret_all) {
        l->plan = s.plan;
        l->passes = 1;
        return;
    }
    *ret_fit = fit && s.plan->count && plan_decide(s.plan, NULL) == STATUS_OK && !s.plan->notes_from;
    if (!*ret_fit)
        return;
    l->plan = plan_new(l->arena, l->options);
    plan_columns(l->plan, l->input->columns.items, l->input->columns.count);
    plan_guess(l->plan, s.plan);
}
