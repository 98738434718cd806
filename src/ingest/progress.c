/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#include "base/banned.h"

#define SHOW_EVERY_US 100000
#define BAR_WIDTH     24

void progress_begin(struct progress *p, const char *phase, uint64_t size)
{
    p->phase = phase;
    p->rows = p->position = 0;
    p->size = size;
    p->began_us = p->shown_us = clock_mono_us();
}

void progress_step(struct progress *p, uint64_t rows, uint64_t position)
{
    int64_t now = p->show ? clock_mono_us() : 0;
    p->rows = rows;
    p->position = position;
    if (!p->show || now - p->shown_us < SHOW_EVERY_US)
        return;
    p->shown_us = now;
    p->show(p->arg, p);
}

enum status progress_check(const struct progress *p, struct err *err)
{
    if (!p->cancelled || !atomic_load_explicit(p->cancelled, memory_order_relaxed))
        return STATUS_OK;
    return err_set(err, STATUS_CANCELLED, "The import was cancelled; nothing was changed");
}

static void show_line(void *arg, const struct progress *p)
{
    char bar[BAR_WIDTH + 1];
    (void)arg;
    double share = p->size ? (double)MIN(p->position, p->size) / (double)p->size : 0;
    double seconds = (double)(p->shown_us - p->began_us) / 1e6;
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < (int)(share * BAR_WIDTH) ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r%s [%s] %3.0f%%  %llu rows  %.1f of %.1f MB  %.0f s left ", p->phase, bar, share * 100,
            (unsigned long long)p->rows, (double)p->position / 1e6, (double)p->size / 1e6,
            share > 0.01 ? seconds / share - seconds : 0);
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (p->show && p->shown_us != p->began_us)
        fprintf(stderr, "\r\033[K"); /* the line goes */
}

struct progress progress_terminal(void)
{
    return (struct progress){.show = isatty(2) ? show_line : NULL};
}
