/* SPDX-License-Identifier: Apache-2.0 */
#include "site/query/shape.h"
#include "support.h"

static enum status parse(struct bench *b, const char *query, struct query_shaping *ret)
{
    CHECK(args_parse(b->a, str_of(query), &b->request.args, NULL) == STATUS_OK);
    return query_shape_parse(&b->request.args, ret, &b->err);
}

TEST(query_shapes)
{
    struct bench b;
    struct query_shaping s;
    bench_init(&b);
    CHECK(parse(&b, "", &s) == STATUS_OK && s.shape == QUERY_SHAPE_OBJECTS && !s.lines);
    CHECK(parse(&b, "_nl=on", &s) == STATUS_OK && s.shape == QUERY_SHAPE_OBJECTS && !s.lines);
    CHECK(parse(&b, "_shape=array&_nl=on", &s) == STATUS_OK && s.shape == QUERY_SHAPE_ARRAY && s.lines);
    CHECK(parse(&b, "_shape=array&_nl=", &s) == STATUS_OK && !s.lines);
    CHECK(parse(&b, "_shape=arrays", &s) == STATUS_OK && s.shape == QUERY_SHAPE_ARRAYS);
    CHECK(parse(&b, "_shape=arrayfirst", &s) == STATUS_OK && s.shape == QUERY_SHAPE_ARRAYFIRST);
    CHECK(parse(&b, "_shape=object", &s) == STATUS_OK && s.shape == QUERY_SHAPE_OBJECT);
    CHECK(parse(&b, "_shape=nope", &s) == STATUS_INVALID && s.shape == QUERY_SHAPE_OBJECT);
    CHECK_STR(str_of(b.err.text), "Invalid _shape: nope");
    CHECK(parse(&b, "_shape=", &s) == STATUS_INVALID);
    CHECK(query_shape_check(QUERY_SHAPE_OBJECT, true, true, &b.err) == STATUS_OK);
    CHECK(query_shape_check(QUERY_SHAPE_ARRAY, false, false, &b.err) == STATUS_OK);
    CHECK(query_shape_check(QUERY_SHAPE_OBJECT, true, false, &b.err) == STATUS_INVALID);
    CHECK_STR(str_of(b.err.text), "_shape=object not available for tables with no primary keys");
    CHECK(query_shape_check(QUERY_SHAPE_OBJECT, false, false, &b.err) == STATUS_INVALID);
    CHECK_STR(str_of(b.err.text), "_shape=object is only available on tables");
    bench_release(&b);
}
