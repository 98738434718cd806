/* SPDX-License-Identifier: Apache-2.0 */
#include "http/conditional.h"

#include "base/clock.h"

static str strip_weak(str tag)
{
    return str_starts(tag, STR("W/")) ? str_from(tag, 2) : tag;
}

bool conditional_none_match(str field, str etag)
{
    field = str_trim(field);
    if (str_eq(field, STR("*")))
        return true;
    etag = strip_weak(etag);
    if (!etag.n)
        return false;
    /* entity-tags hold no backslash escapes (RFC 9110 section 8.8.3), so this is not http_list_next's job. */
    for (size_t i = 0; i < field.n;) {
        if (field.p[i] == ',' || field.p[i] == ' ' || field.p[i] == '\t') {
            i++;
            continue;
        }
        str tag = strip_weak(str_from(field, i));
        i = field.n - tag.n;
        if (!tag.n || tag.p[0] != '"') { /* not a tag: some clients forget the quotes; never a match */
            size_t comma = str_find_char(tag, ',');
            i = comma == STR_NPOS ? field.n : i + comma;
            continue;
        }
        size_t end = str_find_char(str_from(tag, 1), '"');
        if (end == STR_NPOS)
            return false;
        if (str_eq(str_sub(tag, 0, end + 2), etag))
            return true;
        i += end + 2;
    }
    return false;
}

bool conditional_not_modified(str if_none_match, str if_modified_since, str etag, str modified)
{
    if (if_none_match.p) /* RFC 9110 section 13.1.3: the date is then ignored */
        return conditional_none_match(if_none_match, etag);
    int64_t since, changed;
    return if_modified_since.p && modified.n && clock_parse_http(if_modified_since, &since) &&
           clock_parse_http(modified, &changed) && changed <= since;
}

bool conditional_if_range(str if_range, str etag, str modified)
{
    if (!if_range.p)
        return true;
    if (str_starts(if_range, STR("W/")) || str_starts(etag, STR("W/")))
        return false;
    if (str_starts(if_range, STR("\"")))
        return etag.n && str_eq(if_range, etag);
    return modified.n && str_eq(if_range, modified);
}
