/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_history — `vitrine history`: begins and ends to keep the changes of a table, shows them, brings a row back. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "cli/command.h"
#include "codec/jwrite.h"
#include "codec/url.h"
#include "db/db_value.h"
#include "db/history.h"
#include "db/stmt.h"

enum { OPT_LIMIT, OPT_BEFORE, OPT_VERSION, OPT_FORGET, OPT_JSON, OPT_HELP };
static const struct option options[] = {
    {"--limit", 0, OPTION_VALUE, "N", "show: at most N changes (default 20)", OPT_LIMIT},
    {"--before", 0, OPTION_VALUE, "VERSION", "show: changes older than this one", OPT_BEFORE},
    {"--version", 0, OPTION_VALUE, "VERSION", "revert: the row becomes what it was before this change", OPT_VERSION},
    {"--forget", 0, OPTION_FLAG, NULL, "disable: delete what was recorded", OPT_FORGET},
    {"--json", 0, OPTION_FLAG, NULL, "show: one JSON object a line", OPT_JSON},
    {"--help", 'h', OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct history_command {
    struct arena *arena;
    str words[4]; /* VERB DB TABLE PK */
    size_t word_count;
    int64_t limit, before, version;
    bool forget, json, help;
    struct conn *conn;
    struct buf out;
};

static enum status read_options(struct history_command *h, int argc, char **argv, struct err *err)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    str value, second;
    int id;
    enum status st;
    while ((st = option_next(&r, &id, &value, &second, err)) == STATUS_AGAIN) {
        int64_t *number = id == OPT_LIMIT     ? &h->limit
                          : id == OPT_BEFORE  ? &h->before
                          : id == OPT_VERSION ? &h->version
                                              : NULL;
        if (id == -1 && h->word_count == ARRAY_LEN(h->words))
            return err_set(err, STATUS_USAGE, "\"%.*s\" is one argument too many", STR_ARG(value));
        if (id == -1)
            h->words[h->word_count++] = value;
        if (number && (!str_to_i64(value, number) || *number < 1))
            return err_set(err, STATUS_USAGE, "\"%.*s\" is no number of 1 or more", STR_ARG(value));
        h->forget |= id == OPT_FORGET;
        h->json |= id == OPT_JSON;
        h->help |= id == OPT_HELP;
    }
    return st;
}

/* ---- what is shown ---- */

static void put_row(struct buf *out, const char *key, const struct history_info *info, const struct history_change *c,
                    const struct db_value *values)
{
    bool any = false;
    buf_printf(out, ", \"%s\": ", key);
    if (!values) {
        buf_puts(out, STR("null"));
        return;
    }
    for (size_t i = 0; i < info->name_count; i++) {
        if (!c->recorded[i])
            continue;
        buf_puts(out, any ? STR(", ") : STR("{"));
        jwrite_put_string(out, info->names[i], JWRITE_UTF8);
        buf_puts(out, STR(": "));
        db_value_put_json(out, &values[i]);
        any = true;
    }
    buf_puts(out, any ? STR("}") : STR("{}"));
}

static void put_text(struct buf *out, str text)
{
    if (text.n)
        jwrite_put_string(out, text, JWRITE_UTF8);
    else
        buf_puts(out, STR("null"));
}

static void show_json(struct buf *out, const struct history_info *info, const struct history_change *c)
{
    buf_printf(out, "{\"version\": %lld, \"at\": ", (long long)c->version);
    put_text(out, c->at);
    buf_printf(out, ", \"op\": \"%s\", \"who\": ", history_op_names[c->op]);
    put_text(out, c->who);
    buf_puts(out, STR(", \"via\": "));
    put_text(out, c->via);
    put_row(out, "before", info, c, c->before);
    put_row(out, "after", info, c, c->after);
    buf_puts(out, STR("}\n"));
}

static void show_text(struct buf *out, const struct history_info *info, const struct history_change *c)
{
    buf_printf(out, "%lld  %.*s  %s", (long long)c->version, STR_ARG(c->at), history_op_names[c->op]);
    for (size_t i = 0; c->op <= HISTORY_DELETE && i < info->shape.key_count; i++) {
        buf_puts(out, i ? STR(", ") : STR("  "));
        db_value_put_json(out, &c->keys[i]);
    }
    if (c->via.n)
        buf_printf(out, "  by %.*s (%.*s)", STR_ARG(c->who.n ? c->who : STR("somebody")), STR_ARG(c->via));
    else
        buf_puts(out, STR("  by another program"));
    buf_putc(out, '\n');
    for (size_t i = 0; i < info->name_count; i++) {
        if (!history_differs(c, i))
            continue;
        buf_printf(out, "    %.*s: ", STR_ARG(info->names[i]));
        if (c->before)
            db_value_put_json(out, &c->before[i]);
        buf_puts(out, c->before && c->after ? STR(" -> ") : STR(""));
        if (c->after)
            db_value_put_json(out, &c->after[i]);
        buf_putc(out, '\n');
    }
}

/* "a,b~2Fc", as in the address of the row's page. */
static enum status read_key(struct history_command *h, const struct history_info *info, const str **ret,
                            struct err *err)
{
    str rest = h->words[3], part;
    size_t n = info->shape.key_count;
    str *keys = ARENA_ARRAY(h->arena, str, n + 1);
    for (size_t i = 0; i < n; i++) {
        bool more = str_cut(rest, ',', &part, &rest);
        if (more != (i + 1 < n))
            return err_set(err, STATUS_USAGE, "the key of %.*s has %zu part%s, with a comma between",
                           STR_ARG(info->shape.table), n, n == 1 ? "" : "s");
        keys[i] = tilde_decode(h->arena, part);
    }
    *ret = keys;
    return STATUS_OK;
}

static enum status show(struct history_command *h, struct err *err)
{
    struct history_info info;
    struct history_change *changes;
    struct history_query q = {.below = h->before, .limit = h->limit ? (size_t)h->limit : 20};
    size_t n = 0;
    bool more = false;
    enum status st = history_look(h->conn, h->arena, h->words[2], &info, err);
    if (st == STATUS_OK && h->word_count == 4)
        st = read_key(h, &info, &q.keys, err);
    if (st == STATUS_OK)
        st = history_read(h->conn, h->arena, &info, &q, &changes, &n, &more, err);
    for (size_t i = 0; st == STATUS_OK && i < n; i++) {
        if (h->json)
            show_json(&h->out, &info, &changes[i]);
        else
            show_text(&h->out, &info, &changes[i]);
        fwrite(h->out.p, 1, h->out.n, stdout);
        buf_clear(&h->out);
    }
    if (st != STATUS_OK || h->json)
        return st;
    if (!info.enabled)
        printf("No history is being kept of %.*s: vitrine history enable %.*s %.*s\n", STR_ARG(h->words[2]),
               STR_ARG(h->words[1]), STR_ARG(h->words[2]));
    else if (!info.current)
        printf("Not all is recorded%s%.*s: %s. To set it right: vitrine history enable %.*s %.*s\n",
               info.column.n ? " of " : "", STR_ARG(info.column), info.why, STR_ARG(h->words[1]), STR_ARG(h->words[2]));
    else if (!n)
        printf("No changes yet.\n");
    if (more)
        printf("Older ones: --before %lld\n", (long long)changes[n - 1].version);
    return st;
}

/* ---- what writes ---- */

static enum status enable(struct history_command *h, struct err *err)
{
    bool changed = false;
    enum status st = history_enable(h->conn, h->arena, h->words[2], str_of(getenv("USER")), STR(HISTORY_COMMAND_LINE),
                                    &changed, err);
    if (st == STATUS_OK)
        printf(changed ? "Every change of %.*s is recorded from now on.\n"
                       : "Every change of %.*s is being recorded already.\n",
               STR_ARG(h->words[2]));
    return st;
}

static enum status disable(struct history_command *h, struct err *err)
{
    enum status st = history_disable(h->conn, h->arena, h->words[2], h->forget, err);
    if (st == STATUS_OK)
        printf("Changes of %.*s are not recorded any more%s.\n", STR_ARG(h->words[2]),
               h->forget ? ", and those that were are deleted" : "; those that were are kept");
    return st;
}

static enum status revert(struct history_command *h, struct err *err)
{
    static const char *const done[] = {"Changed the row back.", "Brought the row back.", "Deleted the row again."};
    struct history_info info;
    enum history_undo undo;
    const str *keys = NULL;
    enum status st = history_look(h->conn, h->arena, h->words[2], &info, err);
    if (st == STATUS_OK)
        st = read_key(h, &info, &keys, err);
    if (st == STATUS_OK)
        st = history_undo_plan(h->conn, h->arena, &info, keys, h->version, &undo, err);
    if (st == STATUS_OK)
        st = history_undo_run(h->conn, h->arena, h->words[2], keys, h->version, undo, err);
    if (st == STATUS_OK)
        printf("%s\n", done[undo]);
    return st;
}

static const struct verb {
    const char *name, *help;
    size_t words;
    bool writes;
    enum status (*run)(struct history_command *h, struct err *err);
} verbs[] = {
    {"enable", "enable DATABASE TABLE       record every change from now on", 3, true, enable},
    {"disable", "disable DATABASE TABLE      end that; --forget deletes what was recorded", 3, true, disable},
    {"show", "show DATABASE TABLE [KEY]   changes of the table or of one row, newest first", 3, false, show},
    {"revert", "revert DATABASE TABLE KEY --version N   bring a row back", 4, true, revert},
};

static enum status open_database(struct history_command *h, const struct verb *v, struct err *err)
{
    struct database *db;
    const struct database_options o = {
        .name = h->words[1], .path = h->words[1], .busy_timeout_ms = LIMIT_DB_WRITE_BUSY_MS};
    enum status st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = database_check(db, err);
    if (st == STATUS_OK)
        st = conn_open_private(db, v->writes ? CONN_WRITE : CONN_READ, &h->conn, err);
    database_unref(db);
    return st;
}

static enum status run_writing(struct history_command *h, const struct verb *v, struct err *err)
{
    const char *user = getenv("USER");
    enum status st = conn_execute(h->conn, STR("BEGIN IMMEDIATE"), err);
    if (st == STATUS_OK)
        st = history_author(h->conn, str_of(user), STR(HISTORY_COMMAND_LINE), err);
    if (st == STATUS_OK)
        st = v->run(h, err);
    if (st == STATUS_OK)
        st = history_author(h->conn, (str){0}, (str){0}, err);
    return st == STATUS_OK ? conn_execute(h->conn, STR("COMMIT"), err) : st;
}

static enum status run_verb(struct history_command *h, struct err *err)
{
    const struct verb *v = NULL;
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (h->word_count && str_is(h->words[0], verbs[i].name))
            v = &verbs[i];
    if (!v) {
        err_set(err, STATUS_USAGE, "history needs one of: enable, disable, show, revert");
        return err_hint(err, "Run vitrine history --help.");
    }
    if (h->word_count < v->words || h->word_count > v->words + (v->run == show))
        return err_set(err, STATUS_USAGE, "usage: vitrine history %s", v->help);
    if (v->run == revert && !h->version)
        return err_set(err, STATUS_USAGE, "--version is missing: see vitrine history show");
    enum status st = open_database(h, v, err);
    if (st == STATUS_OK)
        st = v->writes ? run_writing(h, v, err) : v->run(h, err);
    conn_close(h->conn);
    return st;
}

int cmd_history(int argc, char **argv)
{
    struct history_command h = {.arena = arena_new(LIMIT_REQUEST_ARENA)};
    struct err err = ERR_INIT;
    int code = 0;
    buf_init(&h.out, LIMIT_JSON_OUTPUT);
    enum status st = read_options(&h, argc, argv, &err);
    if (st == STATUS_OK && h.help) {
        printf("Usage: vitrine history COMMAND DATABASE TABLE [KEY]\n\nCommands:\n");
        for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
            printf("  %s\n", verbs[i].help);
        printf("\nOptions:\n");
        option_print_help(options, ARRAY_LEN(options));
    } else if (st == STATUS_OK) {
        st = run_verb(&h, &err);
    }
    if (st != STATUS_OK)
        code = command_fail(&err);
    buf_release(&h.out);
    arena_free(h.arena);
    return code;
}
