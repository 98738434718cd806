/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/xlsx_value.h"
#include "test.h"

TEST(xlsx_format_codes)
{
    static const struct {
        const char *code;
        unsigned show;
    } known[] = {{"General", 0},
                 {"0.00", 0},
                 {"#,##0;[Red]-#,##0", 0},
                 {"\"d\"0", 0},
                 {"\\d", 0},
                 {"@", 0},
                 {"yyyy-mm-dd", XLSX_DATE},
                 {"mmm", XLSX_DATE},
                 {"[$-407]d. mmmm yyyy;@", XLSX_DATE},
                 {"[Blue]d/m", XLSX_DATE},
                 {"hh:mm", XLSX_TIME},
                 {"mm:ss.0", XLSX_TIME},
                 {"d.m.yy h:mm", XLSX_DATE | XLSX_TIME},
                 {"[h]:mm", XLSX_ELAPSED},
                 {"[mm]:ss", XLSX_ELAPSED},
                 {"0.00;d", 0},
                 {"[h", 0},
                 {"\"", 0},
                 {"", 0}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        CHECK_INT(xlsx_format_code(str_of(known[i].code)), known[i].show);
    CHECK_INT(xlsx_format_builtin(14), XLSX_DATE);
    CHECK_INT(xlsx_format_builtin(22), XLSX_DATE | XLSX_TIME);
    CHECK_INT(xlsx_format_builtin(46), XLSX_ELAPSED);
    CHECK_INT(xlsx_format_builtin(0), 0);
    CHECK_INT(xlsx_format_builtin(-1), 0);
    CHECK_INT(xlsx_format_builtin(49), 0);
}

TEST(xlsx_dates)
{
    static const struct {
        double serial;
        unsigned show;
        bool date1904;
        const char *text;
    } known[] = {{1, XLSX_DATE, false, "1900-01-01"},
                 {59, XLSX_DATE, false, "1900-02-28"},
                 {60, XLSX_DATE, false, ""},
                 {61, XLSX_DATE, false, "1900-03-01"},
                 {25569, XLSX_DATE, false, "1970-01-01"},
                 {2958465, XLSX_DATE, false, "9999-12-31"},
                 {2958465.99999999, XLSX_DATE, false, "9999-12-31T23:59:59.999"},
                 {2958466, XLSX_DATE, false, ""},
                 {2958465, XLSX_DATE, true, ""},
                 {-1, XLSX_DATE, false, ""},
                 {0, XLSX_DATE, true, "1904-01-01"},
                 {0, XLSX_TIME, false, "00:00:00"},
                 {.75, XLSX_TIME, false, "18:00:00"},
                 {.5, XLSX_DATE, true, "1904-01-01T12:00:00"},
                 {43861, XLSX_DATE | XLSX_TIME, false, "2020-01-31T00:00:00"},
                 {43861.29513888889, XLSX_DATE, false, "2020-01-31T07:05:00"},
                 {1.5, XLSX_ELAPSED, false, "36:00:00"},
                 {1.0 / 86400 / 4, XLSX_TIME, false, "00:00:00.250"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        char out[XLSX_DATE_MAX];
        size_t n = xlsx_date(known[i].serial, known[i].show, known[i].date1904, out);
        CHECK_STR(str_make(out, n), known[i].text);
    }
    char out[XLSX_DATE_MAX];
    CHECK_INT(xlsx_date(__builtin_nan(""), XLSX_DATE, false, out), 0);
    CHECK_INT(xlsx_date(1e300, XLSX_ELAPSED, false, out), 0);
}

TEST(xlsx_references)
{
    uint32_t column = 0;
    uint64_t row = 0;
    CHECK(xlsx_reference(STR("A1"), &column, &row) && column == 0 && row == 1);
    CHECK(xlsx_reference(STR("bc7"), &column, &row) && column == 54 && row == 7);
    CHECK(xlsx_reference(STR("XFD1048576"), &column, &row) && column == 16383 && row == 1048576);
    static const char *const bad[] = {"", "A", "1", "XFE1", "AAAA1", "A-1", "A1B", "$A$1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!xlsx_reference(str_of(bad[i]), &column, &row));
}

TEST(xlsx_unescaped_texts)
{
    static const struct {
        const char *from, *to;
    } known[] = {{"a_x000D_b", "a\rb"},
                 {"_x005F_x000D_", "_x000D_"},
                 {"_x00E9_", "é"},
                 {"_xD800_", "_xD800_"},
                 {"_x0000_", "_x0000_"},
                 {"_x00", "_x00"},
                 {"_", "_"},
                 {"", ""},
                 {"_x000G_", "_x000G_"},
                 {"_xFFFD__x0041_", "\xef\xbf\xbd"
                                    "A"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        char text[64];
        size_t n = strlen(known[i].from);
        memcpy(text, known[i].from, n);
        CHECK_STR(str_make(text, xlsx_unescape(text, n)), known[i].to);
    }
}
