/* SPDX-License-Identifier: Apache-2.0 */
#include "site/query/redirect.h"
#include "support.h"

static void check(struct bench *b, const char *query, const char *want)
{
    str location;
    b->request.raw = str_of(query);
    CHECK(args_parse(b->a, b->request.raw, &b->request.args, NULL) == STATUS_OK);
    bool is = query_redirect(b->a, &b->request, &location);
    if (is != (want != NULL))
        test_fail(__FILE__, __LINE__, "%s: should%s redirect", query, want ? "" : " not");
    if (want)
        CHECK_STR(location, want);
}

TEST(query_redirects)
{
    struct bench b;
    bench_init(&b);
    b.request.path = STR("/db/t");
    check(&b, "", NULL);
    check(&b, "name=x&_sort=a&_filter=x&_filter_column_x=1", NULL);
    check(&b, "_filter_column=a&_filter_op=gt&_filter_value=5&_size=3", "/db/t?_size=3&a__gt=5");
    check(&b, "_filter_column=a&_filter_op=isnull__1&_filter_value=", "/db/t?a__isnull=1");
    check(&b, "_filter_column=a&_filter_op=exact&_filter_value=", "/db/t?a__exact=");
    check(&b, "_filter_column=&_filter_op=exact&_filter_value=x", "/db/t");
    check(&b, "_filter_value=x", "/db/t");
    check(&b, "_filter_column_2=b&_filter_value_2=v&_filter_column_1=a+b&_filter_op_1=contains&_filter_value_1=x&y",
          "/db/t?b__exact=v&a+b__contains=x");
    check(&b, "_filter_column_1=a&_filter_op_1=notnull__1&_filter_column=c&_filter_op=lt&_filter_value=1",
          "/db/t?c__lt=1&a__notnull=1");
    check(&b, "_sort=a&_sort_by_desc=on&x=1", "/db/t?x=1&_sort_desc=a");
    check(&b, "_sort_by_desc=on", "/db/t");
    b.request.prefix = STR("/p");
    check(&b, "_sort=a&_sort_by_desc=on", "/p/db/t?_sort_desc=a");
    bench_release(&b);
}
