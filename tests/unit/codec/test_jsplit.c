/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/jsplit.h"
#include "test.h"

struct feed {
    str text;
    size_t piece;
};

static enum status feed_read(void *arg, struct buf *to, bool *ret_end, struct err *err)
{
    struct feed *f = arg;
    (void)err;
    size_t n = MIN(f->piece, f->text.n);
    buf_puts(to, str_sub(f->text, 0, n));
    f->text = str_from(f->text, n);
    *ret_end = !f->text.n;
    return STATUS_OK;
}

/* Records joined by "|"; then "!" and the fault. The same for pieces of every size. */
static void split(const char *text, bool whole, const char *expected)
{
    for (size_t piece = 1; piece <= strlen(text) + 1; piece++) {
        struct feed f = {str_of(text), piece};
        struct jsplit s;
        struct buf out;
        struct err err = ERR_INIT;
        str record;
        enum status st;
        buf_init(&out, 4096);
        jsplit_init(&s, feed_read, &f, 100, whole);
        while ((st = jsplit_next(&s, &record, &err)) == STATUS_AGAIN) {
            buf_puts(&out, record);
            buf_putc(&out, '|');
        }
        if (st != STATUS_OK)
            buf_printf(&out, "!%s", err.text);
        CHECK_STR(buf_str(&out), expected);
        jsplit_release(&s);
        buf_release(&out);
    }
}

TEST(jsplit_lists)
{
    split("", false, "");
    split(" [ ] ", false, "");
    split("[{\"a\": [1, {\"b\": \"]}\"}]}, {\"c\": \"\\\\\\\"\"}]", false,
          "{\"a\": [1, {\"b\": \"]}\"}]}|{\"c\": \"\\\\\\\"\"}|");
    split("\xef\xbb\xbf[1,\"x\" ,null\n, -2.5]", false, "1|\"x\"|null|-2.5|");
    split("[[],[[]],\"[\"]", false, "[]|[[]]|\"[\"|");
}

TEST(jsplit_lines)
{
    split("{\"a\": 1}\n\n  {\"b\": \"\\n\"}\r\n3", false, "{\"a\": 1}|{\"b\": \"\\n\"}|3|");
    split("{\"a\":\n 1}", true, "{\"a\":\n 1}|");
    split("{\"a\":\n 1}", false, "{\"a\":|1}|");
}

TEST(jsplit_faults)
{
    split("[1", false, "1|!line 1: the list is not closed: is a part of it missing?");
    split("[\n{\"a\": 1}\n{}]", false, "{\"a\": 1}|!line 3: a comma or ] is missing behind record 1");
    split("[,]", false, "!line 1: a record is missing before ,");
    split("[1,]", false, "1|!line 1: a record is missing before ]");
    split("[1] 2", false, "1|!line 1: there is text behind the list");
    char long_one[300];
    memset(long_one, 'x', sizeof long_one);
    memcpy(long_one, "[1,\n\"", 5);
    long_one[299] = '\0';
    split(long_one, false, "1|!line 2: the record is larger than 100 bytes");
}
