/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_index — `vitrine create-index` (add-index), `drop-index`, `index-foreign-keys`, `analyze`. */
#include "cli/edit.h"

#include "db/stmt.h"

enum { OPT_NAME, OPT_UNIQUE, OPT_IF_NOT_EXISTS, OPT_ANALYZE, OPT_IGNORE };

static const struct option create_options[] = {
    {"--name", 0, OPTION_VALUE, "NAME", "Its name (default: idx_TABLE_COLUMN)", OPT_NAME},
    {"--unique", 0, OPTION_FLAG, NULL, "No two rows may have the same values", OPT_UNIQUE},
    {"--if-not-exists", 0, OPTION_FLAG, NULL, "Do nothing when there is one of this name", OPT_IF_NOT_EXISTS},
    {"--ignore", 0, OPTION_FLAG, NULL, "The same", OPT_IF_NOT_EXISTS},
    {"--analyze", 0, OPTION_FLAG, NULL, "Run ANALYZE for it afterwards", OPT_ANALYZE},
    EDIT_PRINT,
    EDIT_ABOUT,
};
static const struct option ignore_options[] = {
    {"--ignore", 0, OPTION_FLAG, NULL, "Do nothing when there is none", OPT_IGNORE},
    EDIT_ABOUT,
};
static const struct option plain_options[] = {EDIT_ABOUT};

/* "-col" is descending, unless that is the name of a column. */
static enum status columns_of(struct edit *e, struct table_def *d, str *ret_sql, str *ret_name, struct err *err)
{
    str sql = STR(""), name = STR("");
    for (size_t i = 1; i < e->word_count; i++) {
        str word = e->words[i];
        struct def_column *c = table_def_find(d, word);
        bool down = !c && word.n > 1 && word.p[0] == '-';
        enum status st = c ? STATUS_OK : edit_column(e, d, down ? str_from(word, 1) : word, &c, err);
        if (st != STATUS_OK)
            return st;
        sql = ARENA_CAT(e->arena, sql, i > 1 ? STR(", ") : STR(""), edit_quoted(e, c->name),
                        down ? STR(" desc") : STR(""));
        name = ARENA_CAT(e->arena, name, STR("_"), c->name);
    }
    *ret_sql = sql;
    *ret_name = name;
    return STATUS_OK;
}

static enum status create_index(struct edit *e, struct err *err)
{
    struct table_def d;
    str columns, suffix, name = given_text(&e->args, OPT_NAME);
    enum status st = rebuild_read(e->arena, e->conn, e->words[0], &d, err);
    if (st == STATUS_OK)
        st = columns_of(e, &d, &columns, &suffix, err);
    if (st != STATUS_OK)
        return st;
    if (!name.n) {
        char *table = arena_cstr(e->arena, d.name);
        for (char *c = table; *c; c++)
            *c = *c == ' ' ? '_' : *c;
        name = ARENA_CAT(e->arena, STR("idx_"), str_of(table), suffix);
    }
    st = edit_run(e,
                  ARENA_CAT(e->arena, STR("CREATE "), given_has(&e->args, OPT_UNIQUE) ? STR("UNIQUE ") : STR(""),
                            STR("INDEX "), given_has(&e->args, OPT_IF_NOT_EXISTS) ? STR("IF NOT EXISTS ") : STR(""),
                            edit_quoted(e, name), STR("\n    ON "), edit_quoted(e, d.name), STR(" ("), columns,
                            STR(")")),
                  err);
    if (st == STATUS_OK && given_has(&e->args, OPT_ANALYZE))
        st = edit_run(e, ARENA_CAT(e->arena, STR("ANALYZE "), edit_quoted(e, name)), err);
    return st;
}

int cmd_create_index(int argc, char **argv)
{
    static const struct edit_command command = {
        "create-index [OPTIONS] DATABASE TABLE COLUMN...",
        "Makes an index. For a descending one: create-index DATABASE TABLE -- -COLUMN",
        create_options,
        ARRAY_LEN(create_options),
        2,
        1000,
        false,
        false,
        create_index};
    return edit_command(&command, argc, argv);
}

static enum status drop_index(struct edit *e, struct err *err)
{
    str *found;
    size_t count, i = 0;
    enum status st = conn_fetch_texts(
        e->conn, e->arena,
        STR("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ?1 COLLATE NOCASE"),
        e->words[0], &found, &count, err);
    while (st == STATUS_OK && i < count && !str_eq_nocase(found[i], e->words[1]))
        i++;
    if (st != STATUS_OK || (i == count && given_has(&e->args, OPT_IGNORE)))
        return st;
    if (i == count) {
        err_set(err, STATUS_NOT_FOUND, "the table \"%.*s\" has no index \"%.*s\"", STR_ARG(e->words[0]),
                STR_ARG(e->words[1]));
        return err_hint(err, "vitrine indexes lists them; those of keys and UNIQUE belong to the table.");
    }
    return edit_run(e, ARENA_CAT(e->arena, STR("DROP INDEX "), edit_quoted(e, found[i])), err);
}

int cmd_drop_index(int argc, char **argv)
{
    static const struct edit_command command = {"drop-index [OPTIONS] DATABASE TABLE INDEX",
                                                "Drops an index.",
                                                ignore_options,
                                                ARRAY_LEN(ignore_options),
                                                2,
                                                2,
                                                false,
                                                false,
                                                drop_index};
    return edit_command(&command, argc, argv);
}

/* Each column that refers to another table and is not the first of an index gets one. */
static enum status index_foreign_keys(struct edit *e, struct err *err)
{
    str *statements;
    size_t count;
    enum status st = conn_fetch_texts(
        e->conn, e->arena,
        STR("SELECT DISTINCT 'CREATE INDEX IF NOT EXISTS \"' || replace('idx_' || replace(m.name, ' ', '_') || '_' || "
            "f.\"from\", '\"', '\"\"') || '\" ON \"' || replace(m.name, '\"', '\"\"') || '\" (\"' || "
            "replace(f.\"from\", "
            "'\"', '\"\"') || '\")' FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' "
            "AND f.seq = 0 AND NOT EXISTS (SELECT 1 FROM pragma_index_list(m.name) i JOIN pragma_index_info(i.name) c "
            "WHERE c.seqno = 0 AND c.name = f.\"from\" COLLATE NOCASE) AND NOT EXISTS (SELECT 1 FROM "
            "pragma_table_info(m.name) t WHERE t.pk = 1 AND t.name = f.\"from\" COLLATE NOCASE AND t.type = 'INTEGER' "
            "COLLATE NOCASE)"),
        (str){0}, &statements, &count, err);
    for (size_t i = 0; i < count && st == STATUS_OK; i++)
        st = edit_run(e, statements[i], err);
    return st;
}

int cmd_index_foreign_keys(int argc, char **argv)
{
    static const struct option options[] = {EDIT_PRINT, EDIT_ABOUT};
    static const struct edit_command command = {"index-foreign-keys [OPTIONS] DATABASE",
                                                "Makes an index for each foreign key that has none.",
                                                options,
                                                ARRAY_LEN(options),
                                                0,
                                                0,
                                                false,
                                                false,
                                                index_foreign_keys};
    return edit_command(&command, argc, argv);
}

static enum status analyze(struct edit *e, struct err *err)
{
    enum status st = e->word_count ? STATUS_OK : edit_run(e, STR("ANALYZE"), err);
    for (size_t i = 0; i < e->word_count && st == STATUS_OK; i++)
        st = edit_run(e, ARENA_CAT(e->arena, STR("ANALYZE "), edit_quoted(e, e->words[i])), err);
    return st;
}

int cmd_analyze(int argc, char **argv)
{
    static const struct edit_command command = {
        "analyze [OPTIONS] DATABASE [NAME]...",
        "Lets SQLite look at tables and indexes, so that it plans queries better.",
        plain_options,
        ARRAY_LEN(plain_options),
        0,
        1000,
        false,
        false,
        analyze};
    return edit_command(&command, argc, argv);
}
