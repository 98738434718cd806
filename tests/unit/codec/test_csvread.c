/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "codec/csvread.h"
#include "test.h"

/* Rows as text: cells in <>, rows with their line in front. */
static void show(struct buf *out, const struct rows *rows)
{
    for (size_t i = 0; i < rows->row_count; i++) {
        buf_printf(out, "%llu:", (unsigned long long)rows->rows[i].line);
        for (uint32_t k = 0; k < rows->rows[i].count; k++) {
            const struct cell *c = &rows->cells[rows->rows[i].first + k];
            CHECK_INT(c->kind, CELL_RAW);
            buf_printf(out, "<%.*s>", STR_ARG(cell_str(c)));
        }
        buf_putc(out, ' ');
    }
}

/* Reads `text` in blocks of `block` bytes, as a caller with a small buffer does. */
static enum status read_in_blocks(struct csvread *r, str text, size_t block, struct buf *out)
{
    char buffer[1024 + CSVREAD_PAD] = {0};
    struct rows rows = {0};
    size_t n = 0, at = 0;
    enum status st = STATUS_OK;
    for (bool last = false; !last && st == STATUS_OK;) {
        size_t more = MIN(block, text.n - at), used = 0;
        memcpy(buffer + n, text.p + at, more);
        at += more;
        n += more;
        last = at == text.n;
        rows_clear(&rows);
        st = csvread_block(r, buffer, n, last, &rows, &used, NULL);
        if (st == STATUS_OK) {
            show(out, &rows);
            n -= used;
            memmove(buffer, buffer + used, n);
        }
    }
    rows_release(&rows);
    return st;
}

static void check(const char *text, const char *want)
{
    str s = str_of(text);
    for (size_t block = 1; block <= s.n + 1; block++) {
        struct csvread r;
        struct buf out;
        buf_init(&out, 65536);
        csvread_init(&r, ',', '"');
        CHECK_INT(read_in_blocks(&r, s, block, &out), STATUS_OK);
        CHECK_STR(buf_str(&out), want);
        buf_release(&out);
    }
}

TEST(csvread_rows)
{
    check("a,b\n1,2\n", "1:<a><b> 2:<1><2> ");
    check("a,b\r\n1,2", "1:<a><b> 2:<1><2> ");
    check("a,b\r1,2\r", "1:<a><b> 2:<1><2> ");
    check("", "");
    check("\n\r\n\r\n\nx", "5:<x> ");
    check("\r\rx", "3:<x> ");
    check(",", "1:<><> ");
    check("a,,b\n,\n", "1:<a><><b> 2:<><> ");
}

TEST(csvread_quotes)
{
    check("\"a\",\"b,c\"\n", "1:<a><b,c> ");
    check("\"x\ny\r\nz\",1\n2,3\n", "1:<x\ny\r\nz><1> 4:<2><3> ");
    check("\"say \"\"hi\"\"\",\"\"\n", "1:<say \"hi\"><> ");
    check("\"\"\n", "1:<> ");
    check("\"\"\"\"\n", "1:<\"> ");
    check("\"a\"b\"c,d\n", "1:<ab\"c><d> ");
    check("\"a\"\"\"b\"\"c,d\n", "1:<a\"b\"\"c><d> ");
    check("a\"b,\"c\" \n", "1:<a\"b><c > ");
    check("\"long quoted text that goes on for more than sixty-four bytes, so that it is cut, \"\"twice\"\"\",z\n",
          "1:<long quoted text that goes on for more than sixty-four bytes, so that it is cut, \"twice\"><z> ");
}

TEST(csvread_open_quote)
{
    const char *text = "a,b\n1,\"x\n2,y\n";
    struct csvread r;
    struct buf out;
    buf_init(&out, 4096);
    csvread_init(&r, ',', '"');
    CHECK_INT(read_in_blocks(&r, str_of(text), 100, &out), STATUS_INVALID);
    CHECK_INT(r.open_line, 2);
    CHECK_INT(r.line, 2);
    uint64_t literal[] = {2};
    csvread_init(&r, ',', '"');
    r.literal = literal;
    r.literal_count = 1;
    buf_clear(&out);
    CHECK_INT(read_in_blocks(&r, str_of(text), 100, &out), STATUS_OK);
    CHECK_STR(buf_str(&out), "1:<a><b> 2:<1><\"x> 3:<2><y> ");
    csvread_init(&r, ';', 0);
    buf_clear(&out);
    CHECK_INT(read_in_blocks(&r, STR("\"a;b\"\n"), 100, &out), STATUS_OK);
    CHECK_STR(buf_str(&out), "1:<\"a><b\"> ");
    buf_release(&out);
}

TEST(csvread_cells_are_bounded)
{
    struct csvread r;
    struct rows rows = {0};
    size_t used;
    char text[64 + CSVREAD_PAD] = "a,b,c,d,e\n1,2\n";
    csvread_init(&r, ',', '"');
    r.cells_max = 4;
    CHECK_INT(csvread_block(&r, text, 14, true, &rows, &used, NULL), STATUS_TOO_LARGE);
    rows_release(&rows);
}
