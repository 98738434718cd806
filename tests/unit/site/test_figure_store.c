/* SPDX-License-Identifier: Apache-2.0 */
/* Figures: exact for one data version, old for others, bounded, worked out by one at a time. */
#include "base/limits.h"
#include "site/figure_store.h"

#include "test.h"

static const struct db_signature first = {{1, 2, 3}}, second = {{1, 2, 4}};

static struct rowset one(struct cell *cell)
{
    return (struct rowset){.column_count = 1, .cells = cell, .row_count = 1};
}

TEST(figures_belong_to_a_data_version)
{
    struct arena *a = arena_new(0);
    struct figure_store *k = figure_store_new(1 << 20);
    char bytes[] = {'a', 0, 'b'};
    struct cell cells[4] = {{.kind = CELL_TEXT, .s = {bytes, 3}}, {.kind = CELL_INT, .i = 7}, {.kind = CELL_NULL}};
    cells[3] = (struct cell){.kind = CELL_FLOAT, .f = 2.5};
    struct rowset rows = {.column_count = 2, .cells = cells, .row_count = 2}, got;
    CHECK(figure_store_get(k, &first, STR("f"), a, &got) == FIGURE_NONE);
    figure_store_put(k, &first, STR("f"), &rows);
    bytes[0] = 'z'; /* it has a copy */
    CHECK(figure_store_get(k, &first, STR("f"), a, &got) == FIGURE_EXACT);
    CHECK_INT(got.row_count, 2);
    CHECK_INT(got.column_count, 2);
    CHECK(str_eq(got.cells[0].s, str_make("a\0b", 3)) && got.cells[1].i == 7 && got.cells[2].kind == CELL_NULL);
    CHECK(got.cells[3].f == 2.5);
    CHECK(figure_store_get(k, &second, STR("f"), a, &got) == FIGURE_OLD);
    rows.row_count = 0;
    figure_store_put(k, &second, STR("f"), &rows);
    CHECK(figure_store_get(k, &second, STR("f"), a, &got) == FIGURE_EXACT && got.row_count == 0);
    figure_store_free(k);
    arena_free(a);
}

TEST(figures_are_worked_out_once)
{
    struct figure_store *k = figure_store_new(1 << 20);
    struct cell cell = {.kind = CELL_INT, .i = 1};
    struct rowset rows = one(&cell);
    CHECK(figure_store_claim(k, &first, STR("f"), 0));
    CHECK(!figure_store_claim(k, &first, STR("f"), 1) && !figure_store_claim(k, &second, STR("f"), 1));
    CHECK(figure_store_claim(k, &first, STR("g"), 1));
    figure_store_put(k, &first, STR("f"), &rows);
    figure_store_settle(k, &first, STR("f"), false, 100, 1000);
    CHECK(!figure_store_claim(k, &first, STR("f"), 5000));  /* known */
    CHECK(!figure_store_claim(k, &second, STR("f"), 1999)); /* rests ten times as long as it took */
    CHECK(figure_store_claim(k, &second, STR("f"), 2000));
    figure_store_settle(k, &second, STR("f"), true, 0, 2000);
    CHECK(!figure_store_claim(k, &second, STR("f"), 9000)); /* it would fail again */
    struct db_signature third = {{9}};
    CHECK(figure_store_claim(k, &third, STR("f"), 9000));
    figure_store_free(k);
}

TEST(figures_are_bounded)
{
    struct arena *a = arena_new(0);
    const size_t max = LIMIT_FIGURE_BYTES;
    struct figure_store *k = figure_store_new(max);
    struct figure_stats stats;
    struct cell cell = {.kind = CELL_TEXT, .s = {arena_alloc(a, max / 4), 30000}};
    struct rowset rows = one(&cell), got;
    for (int i = 0; i < 1000; i++) {
        str key = arena_printf(a, "facet %d", i);
        CHECK(figure_store_claim(k, &first, key, 0));
        figure_store_put(k, &first, key, &rows);
        figure_store_settle(k, &first, key, false, 0, 0);
        figure_store_stats(k, &stats);
        CHECK(stats.bytes <= max);
        CHECK(figure_store_get(k, &first, STR("facet 0"), a, &got) == FIGURE_EXACT); /* in use: it stays */
    }
    CHECK(stats.entries > 20);
    for (int i = 0; i < 1000; i++)
        CHECK(figure_store_claim(k, &first, arena_printf(a, "claim %d", i), 0));
    figure_store_stats(k, &stats);
    CHECK(stats.bytes <= max);
    cell.s.n = max / 4;
    figure_store_put(k, &first, STR("large"), &rows);
    CHECK(figure_store_get(k, &first, STR("large"), a, &got) == FIGURE_NONE);
    figure_store_free(k);
    arena_free(a);
}
