/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "ingest/decode.h"
#include "ingest/input.h"

#include "base/banned.h"

static bool is_json(const struct source *s, const struct ingest_options *o, str sample)
{
    static const char *const endings[] = {"json", "ndjson", "jsonl", "geojson"};
    static const char *const others[] = {"csv", "tsv", "tab", "psv"};
    if (o->format != FORMAT_AUTO)
        return o->format == FORMAT_JSON || o->format == FORMAT_NDJSON || o->format == FORMAT_GEOJSON;
    if (str_is_any(s->ending, endings, ARRAY_LEN(endings)))
        return true;
    if (str_is_any(s->ending, others, ARRAY_LEN(others)))
        return false;
    str text = str_trim(str_starts(sample, STR("\xef\xbb\xbf")) ? str_from(sample, 3) : sample);
    return text.n > 1 && ((text.p[0] == '[' && strchr("{[]\" \n\r\t", text.p[1])) ||
                          (text.p[0] == '{' && strchr("\"} \n\r\t", text.p[1])));
}

enum status input_open(struct arena *a, const struct source *s, const struct ingest_options *o, struct input **ret,
                       struct err *err)
{
    str sample;
    if (s->kind == SOURCE_DATABASE || s->kind == SOURCE_DUMP)
        return sqlite_input_new(a, s, o, ret, err);
    if (s->kind == SOURCE_WORKBOOK)
        return xlsx_input_new(a, s, o, ret, err);
    enum status st = decode_sample(a, s, LIMIT_INGEST_SAMPLE, &sample, err);
    if (st != STATUS_OK)
        return st;
    if (!sample.n)
        return err_set(err, STATUS_INVALID, "%.*s is empty", STR_ARG(s->name));
    if (is_json(s, o, sample))
        return json_input_new(a, s, o, sample, ret, err);
    return csv_input_new(a, s, o, sample, ret, err);
}

enum status input_parts(struct arena *a, const struct source *s, str **ret, size_t *ret_count, struct err *err)
{
    *ret_count = 0;
    if (s->kind == SOURCE_DATABASE || s->kind == SOURCE_DUMP)
        return sqlite_tables(a, s, ret, ret_count, err);
    return s->kind == SOURCE_WORKBOOK ? xlsx_sheets(a, s, ret, ret_count, err) : STATUS_OK;
}
