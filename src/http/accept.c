/* SPDX-License-Identifier: Apache-2.0 */
#include "http/accept.h"

#include "http/headers.h"

/* RFC 9110 section 12.4.2: 0[.ddd] or 1[.000]; anything else counts as 1, as a client that sends it means "yes". */
static int parse_weight(str s)
{
    if (!s.n || (s.p[0] != '0' && s.p[0] != '1') || s.n > 5 || (s.n > 1 && s.p[1] != '.'))
        return 1000;
    int weight = (s.p[0] - '0') * 1000, scale = 100;
    for (size_t i = 2; i < s.n; i++, scale /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return 1000;
        weight += (s.p[i] - '0') * scale;
    }
    return MIN(weight, 1000);
}

/* "gzip;q=0.5" -> name and weight; other parameters are skipped. */
static str split_item(str item, int *ret_weight)
{
    str name, rest, parameter;
    *ret_weight = 1000;
    str_cut(item, ';', &name, &rest);
    while (rest.n) {
        str_cut(rest, ';', &parameter, &rest);
        parameter = str_trim(parameter);
        if (parameter.n >= 2 && (parameter.p[0] | 32) == 'q' && parameter.p[1] == '=')
            *ret_weight = parse_weight(str_from(parameter, 2));
    }
    return str_trim(name);
}

int accept_encoding_weight(str field, str coding)
{
    bool identity = str_eq_nocase(coding, STR("identity"));
    if (!field.p)
        return identity ? 1000 : 0;
    int named = -1, star = -1;
    str item;
    while (http_list_next(&field, &item)) {
        int weight;
        str name = split_item(item, &weight);
        if (str_eq_nocase(name, coding) || (str_eq_nocase(name, STR("x-gzip")) && str_eq_nocase(coding, STR("gzip"))))
            named = MAX(named, weight);
        else if (str_eq(name, STR("*")))
            star = MAX(star, weight);
    }
    if (named >= 0)
        return named;
    if (star >= 0)
        return star;
    return identity ? 1000 : 0;
}

bool accept_gzip(str field)
{
    if (!field.p)
        return false;
    if (str_starts(field, STR("gzip, deflate")) && str_find_char(field, ';') == STR_NPOS)
        return true;
    int gzip = accept_encoding_weight(field, STR("gzip"));
    if (!gzip)
        return false;
    /* Identity that nobody named is the fallback (RFC 9110 section 12.5.3), not a preference. */
    str rest = field, item;
    while (http_list_next(&rest, &item)) {
        int weight;
        if (str_eq_nocase(split_item(item, &weight), STR("identity")))
            return gzip >= weight;
    }
    return true;
}

bool accept_names_type(str field, str type)
{
    str item;
    while (http_list_next(&field, &item)) {
        int weight;
        if (str_eq_nocase(split_item(item, &weight), type) && weight > 0)
            return true;
    }
    return false;
}
