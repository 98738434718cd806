/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_transform — `vitrine transform`, `add-foreign-key`, `add-foreign-keys`: tables get another shape. Options are
 * named as sqlite-utils names them. */
#include <stdio.h>

#include "cli/edit.h"
#include "db/stmt.h"

enum {
    OPT_TYPE,
    OPT_DROP,
    OPT_RENAME,
    OPT_ORDER,
    OPT_NOT_NULL,
    OPT_NOT_NULL_FALSE,
    OPT_PK,
    OPT_PK_NONE,
    OPT_DEFAULT,
    OPT_DEFAULT_NONE,
    OPT_ADD_FK,
    OPT_DROP_FK,
    OPT_STRICT,
    OPT_NO_STRICT,
    OPT_IGNORE
};

static const struct option transform_options[] = {
    {"--type", 0, OPTION_PAIR, "COLUMN TYPE", "Another type: text, integer, float, real, blob or any", OPT_TYPE},
    {"--drop", 0, OPTION_VALUE, "COLUMN", "Drop the column", OPT_DROP},
    {"--rename", 0, OPTION_PAIR, "COLUMN NAME", "Give the column another name, wherever it is used", OPT_RENAME},
    {"--column-order", 'o', OPTION_VALUE, "COLUMN", "It comes first; give it again for the next ones", OPT_ORDER},
    {"--not-null", 0, OPTION_VALUE, "COLUMN", "The column must have a value", OPT_NOT_NULL},
    {"--not-null-false", 0, OPTION_VALUE, "COLUMN", "It need not", OPT_NOT_NULL_FALSE},
    {"--pk", 0, OPTION_VALUE, "COLUMN", "Primary key; give it again for a key of several columns", OPT_PK},
    {"--pk-none", 0, OPTION_FLAG, NULL, "No primary key", OPT_PK_NONE},
    {"--default", 0, OPTION_PAIR, "COLUMN VALUE", "Default value; (expression), 'text' or CURRENT_DATE too",
     OPT_DEFAULT},
    {"--default-none", 0, OPTION_VALUE, "COLUMN", "No default value", OPT_DEFAULT_NONE},
    {"--add-foreign-key", 0, OPTION_TRIPLE, "COLUMN TABLE COLUMN", "The column refers to that of another table",
     OPT_ADD_FK},
    {"--drop-foreign-key", 0, OPTION_VALUE, "COLUMN", "It refers to nothing", OPT_DROP_FK},
    {"--strict", 0, OPTION_FLAG, NULL, "Values must be of the type of their column", OPT_STRICT},
    {"--no-strict", 0, OPTION_FLAG, NULL, "They need not", OPT_NO_STRICT},
    EDIT_PRINT,
    EDIT_ABOUT,
};

static enum status set_fk(struct edit *e, struct table_def *d, struct def_column *c, str table, str column,
                          struct err *err)
{
    table_def_drop_fk(d, c);
    c->fk_table = table;
    c->fk_column = column;
    return table_def_resolve_fk(e->arena, e->conn, d->name, c, err);
}

static enum status apply(struct edit *e, struct table_def *d, const struct given_option *g, struct err *err)
{
    struct def_column *c;
    str type;
    if (g->id == OPT_PK || g->id == OPT_PK_NONE || g->id == OPT_STRICT || g->id == OPT_NO_STRICT || g->id >= EDIT_HELP)
        return STATUS_OK;
    enum status st = edit_column(e, d, g->value[0], &c, err);
    if (st != STATUS_OK)
        return st;
    switch (g->id) {
    case OPT_TYPE:
        st = edit_type(e, g->value[1], &type, err);
        if (st == STATUS_OK)
            table_def_set_type(e->arena, c, type);
        break;
    case OPT_RENAME:
        c->becomes = g->value[1];
        return g->value[1].n ? STATUS_OK : err_set(err, STATUS_USAGE, "--rename: the new name is empty");
    case OPT_NOT_NULL:
    case OPT_NOT_NULL_FALSE:
        c->not_null = g->id == OPT_NOT_NULL;
        break;
    case OPT_DEFAULT:
        c->default_sql = edit_default(e, c->type, g->value[1]);
        break;
    case OPT_DEFAULT_NONE:
        c->default_sql = (str){0};
        break;
    case OPT_ADD_FK:
        return set_fk(e, d, c, g->value[1], g->value[2], err);
    case OPT_DROP_FK:
        table_def_drop_fk(d, c);
        break;
    default:
        break;
    }
    return st;
}

static enum status set_key(struct edit *e, struct table_def *d, struct err *err)
{
    size_t count;
    str *names = given_list(e->arena, &e->args, OPT_PK, &count);
    struct def_column *c;
    for (size_t i = 0; i < count; i++) {
        enum status st = edit_column(e, d, names[i], &c, err);
        if (st != STATUS_OK)
            return st;
        names[i] = c->name;
    }
    if (count || given_has(&e->args, OPT_PK_NONE))
        table_def_set_key(e->arena, d, names, count);
    return STATUS_OK;
}

/* Columns are dropped last: the other options may name them. */
static enum status drop_columns(struct edit *e, struct table_def *d, struct err *err)
{
    size_t count;
    str *names = given_list(e->arena, &e->args, OPT_DROP, &count);
    enum status st = STATUS_OK;
    for (size_t i = 0; i < count && st == STATUS_OK; i++)
        if (table_def_find(d, names[i])) /* it may be named twice */
            st = table_def_drop_column(e->arena, d, names[i], err);
    return st;
}

static enum status transform(struct edit *e, struct err *err)
{
    struct table_def d;
    size_t order_count;
    bool changed;
    str *order = given_list(e->arena, &e->args, OPT_ORDER, &order_count);
    enum status st = rebuild_read(e->arena, e->conn, e->words[0], &d, err);
    for (size_t i = 0; i < e->args.options.count && st == STATUS_OK; i++)
        st = apply(e, &d, &e->args.options.items[i], err);
    if (st == STATUS_OK)
        st = set_key(e, &d, err);
    if (st != STATUS_OK)
        return st;
    d.strict = (d.strict || given_has(&e->args, OPT_STRICT)) && !given_has(&e->args, OPT_NO_STRICT);
    table_def_reorder(e->arena, &d, order, order_count);
    st = drop_columns(e, &d, err);
    return st == STATUS_OK ? rebuild_table(e->arena, e->conn, &d, &e->log, &changed, err) : st;
}

int cmd_transform(int argc, char **argv)
{
    static const struct edit_command command = {"transform [OPTIONS] DATABASE TABLE",
                                                "Gives a table another shape: types, names, order, keys, defaults. "
                                                "Rows, indexes, triggers and views are kept;\n"
                                                "it happens whole or not at all.",
                                                transform_options,
                                                ARRAY_LEN(transform_options),
                                                1,
                                                1,
                                                false,
                                                false,
                                                transform};
    return edit_command(&command, argc, argv);
}

/* ---- foreign keys ---- */

static const struct option fk_options[] = {
    {"--ignore", 0, OPTION_FLAG, NULL, "Do nothing when the key is there", OPT_IGNORE},
    EDIT_PRINT,
    EDIT_ABOUT,
};

/* author_id refers to author or authors, when there is one of them. */
static enum status guess_table(struct edit *e, str column, str *ret, struct err *err)
{
    str stem = column.n > 3 && str_eq_nocase(str_from(column, column.n - 3), STR("_id"))
                   ? str_sub(column, 0, column.n - 3)
                   : column;
    const str tries[] = {stem, ARENA_CAT(e->arena, stem, STR("s"))};
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        str *found;
        size_t count = 0;
        enum status st = conn_fetch_texts(
            e->conn, e->arena, STR("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE"),
            tries[i], &found, &count, err);
        if (st != STATUS_OK)
            return st;
        if (count) {
            *ret = found[0];
            return STATUS_OK;
        }
    }
    err_set(err, STATUS_USAGE, "there is neither a table \"%.*s\" nor \"%.*ss\" for the column \"%.*s\" to refer to",
            STR_ARG(stem), STR_ARG(stem), STR_ARG(column));
    return err_hint(err, "Name the other table.");
}

/* The table is read anew for each: one may be named by several keys. */
static enum status add_fk(struct edit *e, str table, str column, str other, str other_column, struct err *err)
{
    struct table_def d;
    struct def_column *c;
    bool changed;
    enum status st = rebuild_read(e->arena, e->conn, table, &d, err);
    if (st == STATUS_OK)
        st = edit_column(e, &d, column, &c, err);
    if (st == STATUS_OK && !other.n)
        st = guess_table(e, column, &other, err);
    if (st != STATUS_OK)
        return st;
    if (c->fk_table.n && given_has(&e->args, OPT_IGNORE))
        return STATUS_OK;
    if (c->fk_table.n) {
        err_set(err, STATUS_CONFLICT, "\"%.*s\" refers to \"%.*s\" already", STR_ARG(column), STR_ARG(c->fk_table));
        return err_hint(err, "--ignore leaves it as it is; vitrine transform --drop-foreign-key takes it away.");
    }
    st = set_fk(e, &d, c, other, other_column, err);
    return st == STATUS_OK ? rebuild_table(e->arena, e->conn, &d, &e->log, &changed, err) : st;
}

static enum status add_one(struct edit *e, struct err *err)
{
    return add_fk(e, e->words[0], e->words[1], e->word_count > 2 ? e->words[2] : STR(""),
                  e->word_count > 3 ? e->words[3] : STR(""), err);
}

static enum status add_many(struct edit *e, struct err *err)
{
    enum status st = STATUS_OK;
    if (e->word_count % 4)
        return err_set(err, STATUS_USAGE, "each foreign key is four words: TABLE COLUMN OTHER_TABLE OTHER_COLUMN");
    for (size_t i = 0; i < e->word_count && st == STATUS_OK; i += 4)
        st = add_fk(e, e->words[i], e->words[i + 1], e->words[i + 2], e->words[i + 3], err);
    return st;
}

int cmd_add_foreign_key(int argc, char **argv)
{
    static const struct edit_command command = {
        "add-foreign-key [OPTIONS] DATABASE TABLE COLUMN [OTHER_TABLE [OTHER_COLUMN]]",
        "Lets a column refer to another table (guessed: author_id to author or authors) and its column (its primary "
        "key).",
        fk_options,
        ARRAY_LEN(fk_options),
        2,
        4,
        false,
        false,
        add_one};
    return edit_command(&command, argc, argv);
}

int cmd_add_foreign_keys(int argc, char **argv)
{
    static const struct edit_command command = {
        "add-foreign-keys [OPTIONS] DATABASE TABLE COLUMN OTHER_TABLE OTHER_COLUMN...",
        "Adds foreign keys, four words each.",
        fk_options,
        ARRAY_LEN(fk_options),
        4,
        4000,
        false,
        false,
        add_many};
    return edit_command(&command, argc, argv);
}
