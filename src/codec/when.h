/* SPDX-License-Identifier: Apache-2.0 */
/* when: dates and times as tables hold them, and as feeds want them. Pure; any thread. */
#ifndef VITRINE_CODEC_WHEN_H
#define VITRINE_CODEC_WHEN_H

#include "base/buf.h"

struct when {
    int year, month, day, hour, minute, second;
    bool has_time, has_zone;
    int zone_minutes; /* east of Greenwich */
};

/* "2024-02-29", with " " or "T" and "12:30", "12:30:15", "12:30:15.25", and then "Z", "+02:00", "+0200" or " UTC".
 * Years 0001 to 9999; a second 60 counts as 59. False for anything else. */
bool when_parse(str text, struct when *ret) MUST_USE;
/* RFC 3339; without a zone the time counts as UTC, without a time as midnight. */
void when_rfc3339(struct buf *out, const struct when *w);
/* RFC 5545: "20240229" without a time, "20240229T123015Z" in UTC; local: "20240229T123015" as it stands. */
void when_ical(struct buf *out, const struct when *w, bool local);
/* Before (< 0), the same (0), after (> 0), as moments. */
int when_compare(const struct when *a, const struct when *b);

#endif
