/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/preview.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "test.h"

static const struct ingest_options plain = {.skip_lines = -1};

static enum status look(struct arena *a, str text, const char *ending, struct preview *ret, struct err *err)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    CHECK_INT(fs_write_fd(fd, "test", text, NULL), STATUS_OK);
    struct source s = {.name = STR("x"), .stem = STR("x"), .ending = str_of(ending), .fd = fd, .size_bytes = text.n};
    enum status st = preview_make(a, &s, &plain, 3, ret, err);
    close(fd);
    return st;
}

TEST(preview_whole)
{
    struct arena *a = arena_new(0);
    struct preview p;
    CHECK_INT(look(a, STR("id;name;v\n1;a;1,5\n2;b;\n2;c;x\n3;d;y\n"), "csv", &p, NULL), STATUS_OK);
    CHECK(p.whole && p.rows_read == 4 && p.row_count == 3 && p.column_count == 3 && p.delimiter == ';');
    CHECK_STR(p.columns[0].type, "INTEGER");
    CHECK(!p.columns[0].unique && p.columns[1].unique && !p.columns[2].unique);
    CHECK_STR(p.cells[0], "1");
    CHECK_STR(p.cells[2], "1,5");
    CHECK_INT(look(a, STR("a,b\n"), "csv", &p, NULL), STATUS_OK);
    CHECK(p.column_count == 2 && p.row_count == 0);
    arena_free(a);
}

/* Cut behind a whole record, wherever the limit falls. */
TEST(preview_cut)
{
    struct arena *a = arena_new(0);
    struct buf csv, json;
    struct preview p;
    buf_init(&csv, SIZE_MAX);
    buf_init(&json, SIZE_MAX);
    buf_puts(&csv, STR("id,text\n"));
    buf_puts(&json, STR("[\n"));
    for (int i = 0; i < 60000; i++) {
        buf_printf(&csv, "%d,\"a text, quoted %d\"\n", i, i);
        buf_printf(&json, "%s{\"id\": %d,\n \"deep\": {\"x\": [%d, \"]\"]}}", i ? "," : "", i, i);
    }
    buf_puts(&json, STR("]"));
    CHECK(csv.n > LIMIT_INGEST_PREVIEW && json.n > LIMIT_INGEST_PREVIEW);
    CHECK_INT(look(a, buf_str(&csv), "csv", &p, NULL), STATUS_OK);
    CHECK(!p.whole && p.rows_read > 10000 && p.rows_read < 60000);
    CHECK_STR(p.columns[0].type, "INTEGER");
    CHECK_INT(look(a, buf_str(&json), "json", &p, NULL), STATUS_OK);
    CHECK(!p.whole && p.rows_read > 10000 && p.column_count == 2);
    CHECK_STR(p.format, "JSON");
    CHECK_STR(p.cells[2], "1");
    struct err err = ERR_INIT;
    buf_clear(&json);
    buf_puts(&json, STR("{\"rows\": ["));
    while (json.n <= LIMIT_INGEST_PREVIEW)
        buf_puts(&json, STR("{\"a\": 1},\n"));
    CHECK_INT(look(a, buf_str(&json), "json", &p, &err), STATUS_INVALID);
    CHECK(str_find(str_of(err.text), STR("too large")) != STR_NPOS);
    buf_release(&csv);
    buf_release(&json);
    arena_free(a);
}

TEST(preview_bad)
{
    struct arena *a = arena_new(0);
    struct preview p;
    CHECK(look(a, STR(""), "csv", &p, NULL) != STATUS_OK);
    CHECK(look(a, STR("[{\"a\": 1}, {\"a\""), "json", &p, NULL) != STATUS_OK);
    arena_free(a);
}

TEST(preview_of_a_long_cell)
{
    struct arena *a = arena_new(0);
    struct preview p;
    char text[LIMIT_INGEST_PREVIEW_CELL + 40];
    for (int n = LIMIT_INGEST_PREVIEW_CELL; n <= LIMIT_INGEST_PREVIEW_CELL + 1; n++) {
        snprintf(text, sizeof text, "a,b\n1,%0*d\n", n, 7);
        CHECK_INT(look(a, str_of(text), "csv", &p, NULL), STATUS_OK);
        CHECK_INT(p.cells[1].n, LIMIT_INGEST_PREVIEW_CELL);
    }
    arena_free(a);
}
