/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/fill.h"
#include "test.h"

TEST(fill_names_of_files)
{
    static const struct {
        const char *file, *title, *database;
        bool ok, is_database;
    } cases[] = {
        {"people.csv", "People", "people", true, false},
        {"City museum (2026).xlsx", "City museum (2026)", "city_museum_2026", true, false},
        {"Bird_list.SQLITE", "Bird list", "bird_list", true, true},
        {"a.b.json.gz", "A.b", "a_b", true, false},
        {"packed.db.gz", "Packed", "packed", false, false},
        {"\xd0\xbb\xd1\x8e\xd0\xb4\xd0\xb8.csv", "\xd0\xbb\xd1\x8e\xd0\xb4\xd0\xb8", "data", true, false},
        {".csv", "Data", "data", true, false},
        {"tables.zip", "Tables", "tables", true, false},
        {"report.pdf", "Report.pdf", "report_pdf", false, false},
        {"", "Data", "data", false, false},
    };
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str file = str_of(cases[i].file);
        CHECK_STR(fill_title(a, file), cases[i].title);
        CHECK_STR(fill_database(a, file), cases[i].database);
        CHECK(fill_is_database(file) == cases[i].is_database);
        CHECK((fill_name_check(file, NULL) == STATUS_OK) == cases[i].ok);
    }
    arena_free(a);
}
