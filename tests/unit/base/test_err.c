/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/err.h"
#include "base/utf8.h"
#include "test.h"

TEST(err_messages)
{
    struct err e = ERR_INIT;
    CHECK(err_set(&e, STATUS_NOT_FOUND, "no table '%s'", "x") == STATUS_NOT_FOUND);
    CHECK_STR(str_of(e.text), "no table 'x'");
    CHECK_STR(str_of(e.hint), "");
    CHECK(err_hint(&e, "see %s", "/db") == STATUS_NOT_FOUND);
    CHECK_STR(str_of(e.hint), "see /db");
    CHECK(err_prefix(&e, "database %d", 7) == STATUS_NOT_FOUND);
    CHECK_STR(str_of(e.text), "database 7: no table 'x'");
    CHECK_STR(str_of(e.hint), "see /db");
    (void)err_set(&e, STATUS_INVALID, "again: %s", e.text); /* its own text as an argument */
    CHECK_STR(str_of(e.text), "again: database 7: no table 'x'");
    CHECK_STR(str_of(e.hint), ""); /* a new message has no old hint */
    err_clear(&e);
    CHECK(e.status == STATUS_OK && !e.text[0]);
}

TEST(err_may_be_absent)
{
    CHECK(err_set(NULL, STATUS_BUSY, "%s", "x") == STATUS_BUSY);
    CHECK(err_sys(NULL, STATUS_IO, ENOSPC, "%s", "x") == STATUS_DISK_FULL);
    CHECK(err_hint(NULL, "%s", "x") == STATUS_INTERNAL);
    CHECK(err_prefix(NULL, "%s", "x") == STATUS_INTERNAL);
    err_clear(NULL);
}

TEST(err_long_texts_are_cut_between_code_points)
{
    static char text[3000];
    for (size_t shift = 0; shift < 4; shift++) {
        struct err e = ERR_INIT;
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof(text) - 1; i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 4);
        (void)err_set(&e, STATUS_IO, "%s", text);
        str got = str_of(e.text);
        CHECK(got.n >= ERR_TEXT_MAX - 4 && got.n < ERR_TEXT_MAX);
        CHECK(str_ends(got, STR("\xE2\x82\xAC...")) && utf8_valid(got));
        (void)err_prefix(&e, "%s", "p");
        CHECK(str_starts(str_of(e.text), STR("p: ")) && utf8_valid(str_of(e.text)));
        CHECK(str_ends(str_of(e.text), STR("...")));
        (void)err_hint(&e, "%s", text);
        CHECK(utf8_valid(str_of(e.hint)) && str_ends(str_of(e.hint), STR("...")));
    }
    struct err e = ERR_INIT;
    (void)err_set(&e, STATUS_IO, "%*s", ERR_TEXT_MAX - 1, "");
    CHECK_INT(strlen(e.text), ERR_TEXT_MAX - 1); /* just fits: not cut */
    CHECK(!str_ends(str_of(e.text), STR(".")));
}

TEST(err_sys_picks_a_status)
{
    struct err e = ERR_INIT;
    CHECK(err_sys(&e, STATUS_IO, ENOENT, "cannot open '%s'", "x.db") == STATUS_NOT_FOUND);
    CHECK_STR(str_of(e.text), "cannot open 'x.db': No such file or directory");
    CHECK(err_sys(&e, STATUS_IO, EACCES, "x") == STATUS_FORBIDDEN);
    CHECK(err_sys(&e, STATUS_IO, EMFILE, "x") == STATUS_BUSY);
    CHECK(err_sys(&e, STATUS_IO, EIO, "x") == STATUS_IO);
    CHECK(err_sys(&e, STATUS_CONFIG, ENOENT, "x") == STATUS_CONFIG); /* chosen by the caller: kept */
    CHECK(err_sys(&e, STATUS_IO, 99999, "x") == STATUS_IO);
    CHECK_STR(str_of(e.text), "x: error 99999");
}

TEST(err_status_table)
{
    CHECK_STR(str_of(status_name(STATUS_NOT_FOUND)), "NOT_FOUND");
    CHECK_STR(str_of(status_text(STATUS_NOT_FOUND)), "not found");
    CHECK_INT(status_http(STATUS_TOO_LARGE), 413);
    CHECK_INT(status_exit(STATUS_USAGE), 64);
    CHECK(status_retryable(STATUS_BUSY) && !status_retryable(STATUS_INVALID));
    for (int s = 0; s < STATUS_COUNT; s++) {
        CHECK(status_name((enum status)s) && status_text((enum status)s));
        CHECK(s == STATUS_OK || s == STATUS_AGAIN ||
              (status_http((enum status)s) >= 400 && status_exit((enum status)s)));
    }
    CHECK_STR(str_of(status_name(STATUS_COUNT)), "UNKNOWN");
    CHECK_INT(status_http((enum status)9999), 500);
}
