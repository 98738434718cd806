/* SPDX-License-Identifier: Apache-2.0 */
#include "http/trace_context.h"

#include "base/limits.h"

#define TRACEPARENT_BYTES 55 /* 00-<32>-<16>-<2> */

static bool is_hex(str s, bool *ret_all_zero)
{
    *ret_all_zero = true;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        *ret_all_zero = *ret_all_zero && c == '0';
    }
    return true;
}

bool trace_context_parse(str field, struct trace_context *ret)
{
    if (field.n < TRACEPARENT_BYTES || field.p[2] != '-' || field.p[35] != '-' || field.p[52] != '-')
        return false;
    str version = str_sub(field, 0, 2), trace = str_sub(field, 3, 35), parent = str_sub(field, 36, 52),
        flags = str_sub(field, 53, 55);
    bool zero, trace_zero, parent_zero;
    if (!is_hex(version, &zero) || str_is(version, "ff") || !is_hex(flags, &zero))
        return false;
    if (!is_hex(trace, &trace_zero) || trace_zero || !is_hex(parent, &parent_zero) || parent_zero)
        return false;
    if (field.n > TRACEPARENT_BYTES && (str_is(version, "00") || field.p[TRACEPARENT_BYTES] != '-'))
        return false;
    char last = flags.p[1];
    *ret = (struct trace_context){trace, parent, ((last <= '9' ? last - '0' : last - 'a' + 10) & 1) != 0};
    return true;
}

bool trace_context_find(const struct http_headers *headers, struct trace_context *ret)
{
    str field = http_headers_get(headers, STR("traceparent"));
    return field.n && http_headers_count(headers, STR("traceparent")) == 1 && trace_context_parse(field, ret);
}

void trace_span_format(uint64_t id, char out[TRACE_SPAN_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    id = id ? id : 1;
    for (int i = TRACE_SPAN_HEX - 1; i >= 0; i--, id >>= 4)
        out[i] = digits[id & 15];
    out[TRACE_SPAN_HEX] = '\0';
}

bool request_id_ok(str id)
{
    if (!id.n || id.n > LIMIT_REQUEST_ID)
        return false;
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!word && (c == '\0' || !strchr("-_.:/+=@~", c)))
            return false;
    }
    return true;
}
