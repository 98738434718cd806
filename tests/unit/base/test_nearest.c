/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include "test.h"

static const char *best_of(const char *wanted)
{
    static const char *const names[] = {"hidden", "size", "sort", "sort_desc", "default_page_size", "max_csv_mb"};
    struct nearest n = nearest_to(str_of(wanted));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        nearest_consider(&n, names[i]);
    return n.best ? n.best : "";
}

TEST(near_names)
{
    CHECK_STR(str_of(best_of("hiden")), "hidden");
    CHECK_STR(str_of(best_of("hiddne")), "hidden"); /* swapped */
    CHECK_STR(str_of(best_of("sise")), "size");
    CHECK_STR(str_of(best_of("default_pagesize")), "default_page_size");
    CHECK_STR(str_of(best_of("sort")), "sort");
    CHECK_STR(str_of(best_of("sortdesc")), "sort_desc");
}

TEST(far_names)
{
    CHECK_STR(str_of(best_of("rows")), "");
    CHECK_STR(str_of(best_of("")), "");
    CHECK_STR(str_of(best_of("plugins")), "");
    char longer[200];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    CHECK_STR(str_of(best_of(longer)), "");
}
