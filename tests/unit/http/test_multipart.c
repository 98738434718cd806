/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "http/multipart.h"
#include "test.h"

static struct buf got; /* "[name|filename|type]data;" for each part */

static enum status on_begin(void *arg, const struct multipart_part *p, struct err *err)
{
    (void)arg;
    (void)err;
    buf_printf(&got, "[" STR_FMT "|%s" STR_FMT "|" STR_FMT "]", STR_ARG(p->name), p->filename.p ? "f:" : "",
               STR_ARG(p->filename), STR_ARG(p->content_type));
    return STATUS_OK;
}
static enum status on_data(void *arg, str bytes, struct err *err)
{
    if (arg && str_find(bytes, STR("stop")) != STR_NPOS)
        return err_set(err, STATUS_CANCELLED, "asked to stop");
    CHECK(bytes.n > 0);
    buf_puts(&got, bytes);
    return STATUS_OK;
}
static enum status on_end(void *arg, struct err *err)
{
    (void)arg;
    (void)err;
    buf_puts(&got, STR(";"));
    return STATUS_OK;
}

static enum status feed(str body, size_t step, void *arg)
{
    struct multipart_sink sink = {arg, on_begin, on_data, on_end};
    struct multipart *m = multipart_new(STR("XX"), 3, &sink);
    enum status st = STATUS_OK;
    buf_release(&got);
    buf_init(&got, 1 << 20);
    for (size_t i = 0; i < body.n && st == STATUS_OK; i += step)
        st = multipart_feed(m, str_sub(body, i, i + step), NULL);
    if (st == STATUS_OK)
        st = multipart_finish(m, NULL);
    multipart_free(m);
    return st;
}

#define FIELD(name) "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n"

TEST(forms)
{
    static const struct {
        const char *body, *parts;
        enum status status;
    } cases[] = {
        {"--XX\r\n" FIELD("a") "one\r\n--XX--\r\n", "[a||]one;", STATUS_OK},
        {"--XX\r\n" FIELD("a") "\r\n--XX\r\n" FIELD("b") "x\r\n-\r\n--X\r\n\r\n--XX--", "[a||];[b||]x\r\n-\r\n--X\r\n;",
         STATUS_OK},
        {"pre\r\namble\r\n--XX \t\r\n" FIELD("a") "1\r\n--XX--\r\nepilogue --XX\r\n", "[a||]1;", STATUS_OK},
        {"--XX\r\ncontent-disposition: Form-Data; filename=\"a\\\"b;.txt\"; name=f\r\nContent-Type: text/plain\r\n"
         "X-Other: 1\r\n\r\n\r\n\r\n\r\n--XX--",
         "[f|f:a\"b;.txt|text/plain]\r\n\r\n;", STATUS_OK},
        {"--XX--\r\n", "", STATUS_OK},
        {"", "", STATUS_INVALID},
        {"--XX\r\n" FIELD("a") "cut", "[a||]cut", STATUS_INVALID},
        {"--XX\r\n" FIELD("a") "x\r\n--XX", "[a||]x;", STATUS_INVALID},
        {"--XX\r\n" FIELD("a") "x\r\n--XXY\r\n", "[a||]x;", STATUS_INVALID},
        {"--XX\r\n\r\nno name\r\n--XX--", "", STATUS_INVALID},
        {"--XX\r\nContent-Disposition: attachment; name=a\r\n\r\n\r\n--XX--", "", STATUS_INVALID},
        {"--XX\r\nbad header\r\n\r\n\r\n--XX--", "", STATUS_INVALID},
        {"--XX\r\n" FIELD("1") "\r\n--XX\r\n" FIELD("2") "\r\n--XX\r\n" FIELD("3") "\r\n--XX\r\n" FIELD(
             "4") "\r\n--XX--",
         "[1||];[2||];[3||];", STATUS_TOO_LARGE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step < 300; step++) {
            enum status st = feed(str_of(cases[i].body), step, NULL);
            if (st != cases[i].status)
                test_fail(__FILE__, __LINE__, "case %zu, pieces of %zu: got %s", i, step, status_name(st));
            CHECK_STRS(buf_str(&got), str_of(cases[i].parts));
        }
    }
    buf_release(&got);
}

TEST(sink_stops_the_form)
{
    static int yes;
    CHECK_INT(feed(STR("--XX\r\n" FIELD("a") "please stop\r\n--XX--"), 1000, &yes), STATUS_CANCELLED);
    buf_release(&got);
}

TEST(part_headers_are_limited)
{
    static char body[LIMIT_HTTP_MULTIPART_HEAD * 3];
    memset(body, 'a', sizeof(body));
    memcpy(body, "--XX\r\n", 6);
    for (size_t step = 1; step < sizeof(body); step *= 3)
        CHECK_INT(feed(str_make(body, sizeof(body)), step, NULL), STATUS_TOO_LARGE);
    buf_release(&got);
}

TEST(large_data_passes_through)
{
    static char body[300000];
    struct multipart_sink sink = {NULL, on_begin, on_data, on_end};
    struct multipart *m = multipart_new(STR("XX"), 3, &sink);
    buf_init(&got, 1 << 20);
    memset(body, '\r', sizeof(body));
    CHECK_INT(multipart_feed(m, STR("--XX\r\n" FIELD("a")), NULL), STATUS_OK);
    CHECK_INT(multipart_feed(m, str_make(body, sizeof(body)), NULL), STATUS_OK);
    CHECK_INT(multipart_feed(m, STR("\r\n--XX--"), NULL), STATUS_OK);
    CHECK_INT(multipart_finish(m, NULL), STATUS_OK);
    CHECK_INT(got.n, strlen("[a||]") + sizeof(body) + 1);
    multipart_free(m);
    buf_release(&got);
}

TEST(boundaries)
{
    CHECK_STR(multipart_boundary(STR("multipart/form-data; boundary=abc")), "abc");
    CHECK_STR(multipart_boundary(STR("Multipart/Form-Data; charset=utf-8; Boundary=\"a b=c\"")), "a b=c");
    CHECK(!multipart_boundary(STR("multipart/form-data")).p);
    CHECK(!multipart_boundary(STR("multipart/form-data; boundary=")).p);
    CHECK(!multipart_boundary(STR("multipart/form-data; boundary=\"a\rb\"")).p);
    CHECK(!multipart_boundary(STR("multipart/mixed; boundary=a")).p);
    CHECK(!multipart_boundary(STR("")).p);
}
