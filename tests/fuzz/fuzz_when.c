/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a date: what is read is written in both forms and means the same when read again. */
#include <stdlib.h>

#include "codec/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct when w, again;
    struct buf b;
    if (!when_parse(str_make((const char *)data, size), &w))
        return 0;
    buf_init(&b, 1000);
    when_rfc3339(&b, &w);
    if (!when_parse(buf_str(&b), &again) || when_compare(&w, &again) != 0)
        abort();
    buf_clear(&b);
    when_ical(&b, &w, false);
    when_ical(&b, &w, true);
    if (b.n > 40)
        abort();
    buf_release(&b);
    return 0;
}
