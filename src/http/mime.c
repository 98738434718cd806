/* SPDX-License-Identifier: Apache-2.0 */
#include "http/mime.h"

#define EXTENSION_MAX 16

static const struct {
    const char *extension, *type;
    bool compressible;
} types[] = {
#define X(extension, type, compressible) {extension, type, compressible},
#include "http/tbl/mime.h"
#undef X
};

str mime_of_path(str path)
{
    size_t slash = str_rfind_char(path, '/');
    str name = slash == STR_NPOS ? path : str_from(path, slash + 1);
    size_t dot = str_rfind_char(name, '.');
    if (dot != STR_NPOS && name.n - dot - 1 < EXTENSION_MAX) {
        char lower[EXTENSION_MAX];
        str extension = str_lower(lower, str_from(name, dot + 1));
        for (size_t lo = 0, hi = ARRAY_LEN(types); lo < hi;) {
            size_t mid = (lo + hi) / 2;
            int order = str_cmp(extension, str_of(types[mid].extension));
            if (order == 0)
                return str_of(types[mid].type);
            if (order < 0)
                hi = mid;
            else
                lo = mid + 1;
        }
    }
    return STR("application/octet-stream");
}

static str type_alone(str content_type)
{
    return str_trim(str_sub(content_type, 0, str_find_char(content_type, ';')));
}

static bool ends_nocase(str s, str end)
{
    return s.n >= end.n && str_eq_nocase(str_from(s, s.n - end.n), end);
}

bool mime_compressible(str content_type)
{
    str type = type_alone(content_type);
    if (str_eq_nocase(type, STR("text/event-stream"))) /* each event has to go out at once */
        return false;
    if (str_eq_nocase(str_sub(type, 0, 5), STR("text/")) || ends_nocase(type, STR("json")) ||
        ends_nocase(type, STR("xml")) || str_eq_nocase(type, STR("application/javascript")))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (types[i].compressible && str_eq_nocase(type_alone(str_of(types[i].type)), type))
            return true;
    return false;
}
