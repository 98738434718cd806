/* SPDX-License-Identifier: Apache-2.0 */
/* report: what was proved, for people and for programs. Any thread. */
#ifndef VITRINE_PROVE_REPORT_H
#define VITRINE_PROVE_REPORT_H

#include "base/buf.h"
#include "prove/prove.h"

#define REPORT_MAX ((size_t)16 << 20)

struct report_about {
    const char *title; /* "vitrine upgrade" */
    const char *url;
};

void report_text(const struct prove_result *r, const struct report_about *about, struct buf *out);
void report_json(const struct prove_result *r, const struct report_about *about, struct buf *out);
/* A page of its own with a chart; nothing is loaded from elsewhere. */
void report_html(const struct prove_result *r, const struct report_about *about, struct buf *out);

struct report_changes {
    uint32_t done, failed;
    int64_t longest_us, shortest_us, all_us;
};
void report_changes(const struct prove_result *r, struct report_changes *ret);
/* What a change added to the time that 99 of 100 answers keep; 0 where nothing was measured around one. */
int64_t report_added_p99_us(const struct prove_tally *t);

#endif
