/* SPDX-License-Identifier: Apache-2.0 */
/* fn_regexp — regexp(), regexp_match(), regexp_replace(), regexp_count(). The compiled expression stays with the
 * statement while the pattern is constant. */
#include "base/limits.h"
#include "db/conn_impl.h"
#include "db/fn.h"
#include "db/regexp.h"

#include "base/banned.h"

static bool stop_now(void *arg)
{
    return deadline_passed(arg);
}

static void free_regexp(void *r)
{
    regexp_free(r);
}

static bool any_null(int argc, sqlite3_value **argv)
{
    for (int i = 0; i < argc; i++)
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
            return true;
    return false;
}

/* *ret_fresh is what the caller hands back with keep(). NULL when an error is set. */
static struct regexp *take(sqlite3_context *ctx, sqlite3_value *pattern, struct regexp **ret_fresh)
{
    struct err err = ERR_INIT;
    struct regexp *r = sqlite3_get_auxdata(ctx, 0);
    *ret_fresh = NULL;
    if (r)
        return r;
    if (regexp_compile(fn_argument(pattern), ret_fresh, &err) != STATUS_OK)
        sqlite3_result_error(ctx, err.text, -1);
    return *ret_fresh;
}

static void keep(sqlite3_context *ctx, struct regexp *fresh)
{
    if (fresh)
        sqlite3_set_auxdata(ctx, 0, fresh, free_regexp); /* may free it at once */
}

/* X REGEXP Y calls regexp(Y, X). */
FN(fn_regexp)
{
    struct conn *c = sqlite3_user_data(ctx);
    struct regexp *fresh, *r;
    bool found = false;
    if (any_null(argc, argv) || !(r = take(ctx, argv[0], &fresh)))
        return;
    if (regexp_search(r, fn_argument(argv[1]), stop_now, &c->deadline, &found) == STATUS_OK)
        sqlite3_result_int(ctx, found);
    else
        sqlite3_result_error_code(ctx, SQLITE_INTERRUPT);
    keep(ctx, fresh);
}

FN(fn_regexp_match)
{
    struct conn *c = sqlite3_user_data(ctx);
    struct regexp *fresh, *r;
    struct regexp_span at = {0, 0};
    bool found = false;
    if (any_null(argc, argv) || !(r = take(ctx, argv[0], &fresh)))
        return;
    str text = fn_argument(argv[1]);
    if (regexp_find(r, text, 0, stop_now, &c->deadline, &at, &found) != STATUS_OK)
        sqlite3_result_error_code(ctx, SQLITE_INTERRUPT);
    else if (found)
        sqlite3_result_text64(ctx, text.n ? text.p + at.start : "", at.end - at.start, SQLITE_TRANSIENT, SQLITE_UTF8);
    keep(ctx, fresh);
}

/* Past a match of nothing the next character is stepped over, so that each step gets on. Every match looks at the
 * deadline: an expression may read to the end of the text for each. */
static bool each_match(struct conn *c, struct regexp *r, str text, str replacement, struct buf *out, int64_t *ret_count)
{
    size_t from = 0, done = 0;
    int64_t count = 0;
    for (;;) {
        struct regexp_span at = {0, 0};
        bool found = false;
        if (deadline_passed(&c->deadline) ||
            regexp_find(r, text, from, stop_now, &c->deadline, &at, &found) != STATUS_OK)
            return false;
        if (!found)
            break;
        count++;
        if (out) {
            buf_puts(out, str_sub(text, done, at.start));
            buf_puts(out, replacement);
        }
        done = at.end;
        from = at.end;
        if (at.end == at.start) {
            if (from >= text.n)
                break;
            from++;
            while (from < text.n && ((unsigned char)text.p[from] & 0xC0) == 0x80)
                from++;
        }
    }
    if (out)
        buf_puts(out, str_from(text, done));
    *ret_count = count;
    return true;
}

FN(fn_regexp_replace)
{
    struct conn *c = sqlite3_user_data(ctx);
    struct regexp *fresh, *r;
    struct buf out;
    int64_t count;
    if (any_null(argc, argv) || !(r = take(ctx, argv[0], &fresh)))
        return;
    buf_init(&out, LIMIT_DB_VALUE_BYTES);
    if (each_match(c, r, fn_argument(argv[1]), fn_argument(argv[2]), &out, &count)) {
        fn_result(ctx, &out);
    } else {
        sqlite3_result_error_code(ctx, SQLITE_INTERRUPT);
        buf_release(&out);
    }
    keep(ctx, fresh);
}

FN(fn_regexp_count)
{
    struct conn *c = sqlite3_user_data(ctx);
    struct regexp *fresh, *r;
    int64_t count;
    if (any_null(argc, argv) || !(r = take(ctx, argv[0], &fresh)))
        return;
    if (each_match(c, r, fn_argument(argv[1]), (str){0}, NULL, &count))
        sqlite3_result_int64(ctx, count);
    else
        sqlite3_result_error_code(ctx, SQLITE_INTERRUPT);
    keep(ctx, fresh);
}
