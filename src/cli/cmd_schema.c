/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_schema — tables, views and columns are made, renamed and dropped: `vitrine create-table`, `add-column`,
 * `rename-table`, `duplicate`, `drop-table`, `create-view`, `drop-view`. */
#include "cli/edit.h"

#include "db/stmt.h"

enum {
    OPT_PK,
    OPT_NOT_NULL,
    OPT_DEFAULT,
    OPT_FK,
    OPT_IGNORE,
    OPT_REPLACE,
    OPT_STRICT,
    OPT_FK_TABLE,
    OPT_FK_COLUMN,
    OPT_NNDEF
};

static enum status what_is(struct edit *e, str name, const char *types, bool *ret, struct err *err)
{
    str *found;
    size_t count = 0;
    enum status st = conn_fetch_texts(
        e->conn, e->arena,
        ARENA_CAT(e->arena, STR("SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type IN ("),
                  str_of(types), STR(")")),
        name, &found, &count, err);
    *ret = count > 0;
    return st;
}

/* ---- create-table ---- */

static const struct option create_options[] = {
    {"--pk", 0, OPTION_VALUE, "COLUMN", "Primary key; give it again for a key of several columns", OPT_PK},
    {"--not-null", 0, OPTION_VALUE, "COLUMN", "The column must have a value", OPT_NOT_NULL},
    {"--default", 0, OPTION_PAIR, "COLUMN VALUE", "Default value of the column", OPT_DEFAULT},
    {"--fk", 0, OPTION_TRIPLE, "COLUMN TABLE COLUMN", "The column refers to that of another table", OPT_FK},
    {"--ignore", 0, OPTION_FLAG, NULL, "Do nothing when the table is there", OPT_IGNORE},
    {"--replace", 0, OPTION_FLAG, NULL, "Drop a table that is there first", OPT_REPLACE},
    {"--strict", 0, OPTION_FLAG, NULL, "Values must be of the type of their column", OPT_STRICT},
    EDIT_PRINT,
    EDIT_ABOUT,
};

static enum status read_columns(struct edit *e, struct table_def *d, struct err *err)
{
    if (e->word_count < 3 || e->word_count % 2 == 0)
        return err_set(err, STATUS_USAGE, "columns are pairs of words: NAME TYPE");
    for (size_t i = 1; i < e->word_count; i += 2) {
        struct def_column c = {.name = e->words[i]};
        enum status st = edit_type(e, e->words[i + 1], &c.type, err);
        if (st != STATUS_OK)
            return st;
        VEC_PUSH(e->arena, &d->columns, c);
    }
    return STATUS_OK;
}

static enum status apply(struct edit *e, struct table_def *d, const struct given_option *g, struct err *err)
{
    struct def_column *c;
    if (g->id != OPT_PK && g->id != OPT_NOT_NULL && g->id != OPT_DEFAULT && g->id != OPT_FK)
        return STATUS_OK;
    if (g->id == OPT_PK && !table_def_find(d, g->value[0])) { /* a key of its own, first */
        struct def_column key = {.name = g->value[0], .type = STR("INTEGER")};
        VEC_PUSH(e->arena, &d->columns, key);
        table_def_reorder(e->arena, d, &g->value[0], 1);
    }
    enum status st = edit_column(e, d, g->value[0], &c, err);
    if (st != STATUS_OK)
        return st;
    if (g->id == OPT_PK)
        VEC_PUSH(e->arena, &d->pks, c->name);
    if (g->id == OPT_NOT_NULL)
        c->not_null = true;
    if (g->id == OPT_DEFAULT)
        c->default_sql = edit_default(e, c->type, g->value[1]);
    if (g->id != OPT_FK)
        return STATUS_OK;
    c->fk_table = g->value[1];
    c->fk_column = g->value[2];
    return table_def_resolve_fk(e->arena, e->conn, d->name, c, err);
}

static enum status check_new_name(str name, struct err *err)
{
    if (!name.n || str_find_char(name, '\0') != STR_NPOS)
        return err_set(err, STATUS_USAGE, "the name is empty");
    if (name.n >= 7 && str_eq_nocase(str_sub(name, 0, 7), STR("sqlite_")))
        return err_set(err, STATUS_USAGE, "names that begin with sqlite_ belong to SQLite: \"%.*s\"", STR_ARG(name));
    return STATUS_OK;
}

static enum status create_table(struct edit *e, struct err *err)
{
    struct table_def d = {.name = e->words[0], .strict = given_has(&e->args, OPT_STRICT)};
    bool there = false;
    enum status st = check_new_name(d.name, err);
    if (st == STATUS_OK)
        st = read_columns(e, &d, err);
    for (size_t i = 0; i < e->args.options.count && st == STATUS_OK; i++)
        st = apply(e, &d, &e->args.options.items[i], err);
    if (st == STATUS_OK)
        st = what_is(e, d.name, "'table'", &there, err);
    if (st != STATUS_OK || (there && given_has(&e->args, OPT_IGNORE)))
        return st;
    if (there && given_has(&e->args, OPT_REPLACE)) {
        st = edit_run(e, ARENA_CAT(e->arena, STR("DROP TABLE "), edit_quoted(e, d.name)), err);
    } else if (there) {
        err_set(err, STATUS_CONFLICT, "there is a table \"%.*s\" already", STR_ARG(d.name));
        return err_hint(err, "--replace drops it first, --ignore leaves it as it is; vitrine transform changes it.");
    }
    return st == STATUS_OK ? edit_run(e, table_def_sql(e->arena, &d), err) : st;
}

int cmd_create_table(int argc, char **argv)
{
    static const struct edit_command command = {
        "create-table [OPTIONS] DATABASE TABLE NAME TYPE [NAME TYPE]...",
        "Makes a table, and the database when there is none. Types: text, integer, float, real, blob, any.",
        create_options,
        ARRAY_LEN(create_options),
        3,
        4001,
        true,
        false,
        create_table};
    return edit_command(&command, argc, argv);
}

/* ---- add-column ---- */

static const struct option column_options[] = {
    {"--fk", 0, OPTION_VALUE, "TABLE", "The column refers to this table", OPT_FK_TABLE},
    {"--fk-col", 0, OPTION_VALUE, "COLUMN", "... and to this column of it (default: its primary key)", OPT_FK_COLUMN},
    {"--not-null-default", 0, OPTION_VALUE, "VALUE", "It must have a value; this one in rows that are there",
     OPT_NNDEF},
    {"--ignore", 0, OPTION_FLAG, NULL, "Do nothing when the column is there", OPT_IGNORE},
    EDIT_PRINT,
    EDIT_ABOUT,
};

/* The type of the column that it refers to. */
static enum status type_of_target(struct edit *e, struct def_column *c, struct err *err)
{
    struct table_def other;
    enum status st = rebuild_read(e->arena, e->conn, c->fk_table, &other, err);
    const struct def_column *target = st == STATUS_OK ? table_def_find(&other, c->fk_column) : NULL;
    if (target)
        c->type = target->type;
    return st;
}

static enum status add_column(struct edit *e, struct err *err)
{
    struct table_def d;
    struct def_column c = {.name = e->words[1],
                           .type = STR("TEXT"),
                           .fk_table = given_text(&e->args, OPT_FK_TABLE),
                           .fk_column = given_text(&e->args, OPT_FK_COLUMN)};
    str standard = given_text(&e->args, OPT_NNDEF);
    enum status st = rebuild_read(e->arena, e->conn, e->words[0], &d, err);
    if (st == STATUS_OK && table_def_find(&d, c.name))
        return given_has(&e->args, OPT_IGNORE)
                   ? STATUS_OK
                   : err_set(err, STATUS_CONFLICT, "the table has a column \"%.*s\" already", STR_ARG(c.name));
    if (st == STATUS_OK && c.fk_table.n)
        st = table_def_resolve_fk(e->arena, e->conn, d.name, &c, err);
    if (st == STATUS_OK && c.fk_table.n)
        st = type_of_target(e, &c, err);
    if (st == STATUS_OK && e->word_count > 2)
        st = edit_type(e, e->words[2], &c.type, err);
    if (st != STATUS_OK)
        return st;
    if (standard.p)
        standard = ARENA_CAT(e->arena, STR(" NOT NULL DEFAULT "), edit_default(e, c.type, standard));
    str refers = !c.fk_table.n ? STR("")
                               : ARENA_CAT(e->arena, STR(" REFERENCES "), edit_quoted(e, c.fk_table), STR("("),
                                           edit_quoted(e, c.fk_column), STR(")"));
    return edit_run(e,
                    ARENA_CAT(e->arena, STR("ALTER TABLE "), edit_quoted(e, d.name), STR(" ADD COLUMN "),
                              edit_quoted(e, c.name), STR(" "), c.type, standard, refers),
                    err);
}

int cmd_add_column(int argc, char **argv)
{
    static const struct edit_command command = {
        "add-column [OPTIONS] DATABASE TABLE COLUMN [TYPE]",
        "Adds a column. Types: text (default), integer, float, real, blob, any.",
        column_options,
        ARRAY_LEN(column_options),
        2,
        3,
        false,
        false,
        add_column};
    return edit_command(&command, argc, argv);
}

/* ---- names ---- */

static const struct option ignore_options[] = {
    {"--ignore", 0, OPTION_FLAG, NULL, "Do nothing when there is none", OPT_IGNORE},
    EDIT_ABOUT,
};

static enum status drop(struct edit *e, const char *kind, struct err *err)
{
    bool there = false;
    enum status st = what_is(e, e->words[0], kind[0] == 'T' ? "'table'" : "'view'", &there, err);
    if (st == STATUS_OK && !there)
        return given_has(&e->args, OPT_IGNORE) ? STATUS_OK
                                               : err_set(err, STATUS_NOT_FOUND, "there is no %s \"%.*s\"",
                                                         kind[0] == 'T' ? "table" : "view", STR_ARG(e->words[0]));
    return st == STATUS_OK
               ? edit_run(e, ARENA_CAT(e->arena, STR("DROP "), str_of(kind), STR(" "), edit_quoted(e, e->words[0])),
                          err)
               : st;
}

static enum status drop_table(struct edit *e, struct err *err)
{
    return drop(e, "TABLE", err);
}

static enum status drop_view(struct edit *e, struct err *err)
{
    return drop(e, "VIEW", err);
}

static enum status rename_table(struct edit *e, struct err *err)
{
    bool there = false;
    enum status st = check_new_name(e->words[1], err);
    if (st == STATUS_OK)
        st = what_is(e, e->words[0], "'table'", &there, err);
    if (st == STATUS_OK && !there)
        return given_has(&e->args, OPT_IGNORE)
                   ? STATUS_OK
                   : err_set(err, STATUS_NOT_FOUND, "there is no table \"%.*s\"", STR_ARG(e->words[0]));
    return st == STATUS_OK ? edit_run(e,
                                      ARENA_CAT(e->arena, STR("ALTER TABLE "), edit_quoted(e, e->words[0]),
                                                STR(" RENAME TO "), edit_quoted(e, e->words[1])),
                                      err)
                           : st;
}

static enum status duplicate(struct edit *e, struct err *err)
{
    struct table_def d;
    str columns = STR("");
    enum status st = check_new_name(e->words[1], err);
    if (st == STATUS_OK)
        st = rebuild_read(e->arena, e->conn, e->words[0], &d, err);
    if (st == STATUS_NOT_FOUND && given_has(&e->args, OPT_IGNORE))
        return STATUS_OK;
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < d.columns.count; i++)
        if (!d.columns.items[i].generated)
            columns =
                ARENA_CAT(e->arena, columns, columns.n ? STR(", ") : STR(""), edit_quoted(e, d.columns.items[i].name));
    d.name = e->words[1];
    st = edit_run(e, table_def_sql(e->arena, &d), err);
    return st == STATUS_OK
               ? edit_run(e,
                          ARENA_CAT(e->arena, STR("INSERT INTO "), edit_quoted(e, d.name), STR(" ("), columns,
                                    STR(") SELECT "), columns, STR(" FROM "), edit_quoted(e, e->words[0])),
                          err)
               : st;
}

int cmd_drop_table(int argc, char **argv)
{
    static const struct edit_command command = {"drop-table [OPTIONS] DATABASE TABLE",
                                                "Drops a table with its rows, indexes and triggers.",
                                                ignore_options,
                                                ARRAY_LEN(ignore_options),
                                                1,
                                                1,
                                                false,
                                                false,
                                                drop_table};
    return edit_command(&command, argc, argv);
}

int cmd_drop_view(int argc, char **argv)
{
    static const struct edit_command command = {"drop-view [OPTIONS] DATABASE VIEW",
                                                "Drops a view.",
                                                ignore_options,
                                                ARRAY_LEN(ignore_options),
                                                1,
                                                1,
                                                false,
                                                false,
                                                drop_view};
    return edit_command(&command, argc, argv);
}

int cmd_rename_table(int argc, char **argv)
{
    static const struct edit_command command = {"rename-table [OPTIONS] DATABASE TABLE NAME",
                                                "Gives a table another name, wherever it is used.",
                                                ignore_options,
                                                ARRAY_LEN(ignore_options),
                                                2,
                                                2,
                                                false,
                                                false,
                                                rename_table};
    return edit_command(&command, argc, argv);
}

int cmd_duplicate(int argc, char **argv)
{
    static const struct edit_command command = {"duplicate [OPTIONS] DATABASE TABLE NAME",
                                                "Copies a table and its rows; indexes and triggers are not copied.",
                                                ignore_options,
                                                ARRAY_LEN(ignore_options),
                                                2,
                                                2,
                                                false,
                                                false,
                                                duplicate};
    return edit_command(&command, argc, argv);
}

/* ---- create-view ---- */

static const struct option view_options[] = {
    {"--ignore", 0, OPTION_FLAG, NULL, "Do nothing when the view is there", OPT_IGNORE},
    {"--replace", 0, OPTION_FLAG, NULL, "Drop a view that is there first", OPT_REPLACE},
    EDIT_ABOUT,
};

static enum status create_view(struct edit *e, struct err *err)
{
    bool there = false;
    enum status st = check_new_name(e->words[0], err);
    if (st == STATUS_OK)
        st = what_is(e, e->words[0], "'view'", &there, err);
    if (st != STATUS_OK || (there && given_has(&e->args, OPT_IGNORE)))
        return st;
    if (there && given_has(&e->args, OPT_REPLACE))
        st = edit_run(e, ARENA_CAT(e->arena, STR("DROP VIEW "), edit_quoted(e, e->words[0])), err);
    else if (there)
        return err_set(err, STATUS_CONFLICT, "there is a view \"%.*s\" already: --replace drops it first",
                       STR_ARG(e->words[0]));
    if (st == STATUS_OK)
        st = edit_run_one(
            e, ARENA_CAT(e->arena, STR("CREATE VIEW "), edit_quoted(e, e->words[0]), STR(" AS "), e->words[1]), err);
    if (st == STATUS_OK) /* SQLite looks at the tables only when it is read */
        st = edit_run_one(e, ARENA_CAT(e->arena, STR("SELECT 1 FROM "), edit_quoted(e, e->words[0]), STR(" LIMIT 0")),
                          err);
    return st;
}

int cmd_create_view(int argc, char **argv)
{
    static const struct edit_command command = {"create-view [OPTIONS] DATABASE VIEW SQL",
                                                "Makes a view of a SELECT statement.",
                                                view_options,
                                                ARRAY_LEN(view_options),
                                                2,
                                                2,
                                                false,
                                                false,
                                                create_view};
    return edit_command(&command, argc, argv);
}
