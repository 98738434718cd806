/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "ingest/decode.h"
#include "ingest/input.h"

#include "base/banned.h"

enum status input_open(struct arena *a, const struct source *s, const struct ingest_options *o, struct input **ret,
                       struct err *err)
{
    str sample;
    enum status st = decode_sample(a, s, LIMIT_INGEST_SAMPLE, &sample, err);
    if (st != STATUS_OK)
        return st;
    if (!sample.n)
        return err_set(err, STATUS_INVALID, "%.*s is empty", STR_ARG(s->name));
    return csv_input_new(a, s, o, sample, ret, err);
}
