/* SPDX-License-Identifier: Apache-2.0 */
/* table_parse — CREATE TABLE as SQLite keeps it -> struct table_def.
 *
 * SQLite has accepted the text already, so this reads its grammar (https://sqlite.org/lang_createtable.html) and
 * refuses what it does not know: a rebuild that guessed would lose something. Parts with a field of their own are taken
 * apart; all others are kept as spans of the text. Comments are not tokens here: those outside of kept spans are handed
 * to the column or constraint that they stand with at the end (behind its comma on the same line, or above the next
 * one).
 *
 * Invariants: (1) every token is consumed by exactly one part. (2) reading what table_def_sql() wrote gives the same
 * table. Tests: tests/unit/migrate, tests/cli/test_rebuild.py (random tables), fuzz target table_def. */
#include "base/limits.h"
#include "migrate/sql_lex.h"
#include "migrate/table_def.h"

#include "base/banned.h"

struct span {
    size_t start, end;
};

struct parse {
    struct arena *arena;
    str sql;
    VEC(struct token) tokens; /* the last one is an END */
    VEC(struct token) comments;
    VEC(struct span) kept;  /* parts that are copied as they are, comments and all */
    VEC(struct span) items; /* columns and constraints, commas left out; in order */
    VEC(size_t) owners;     /* of each item: column number, or columns + constraint number; SIZE_MAX = the table */
    size_t at;
    struct table_def def;
};

static struct token peek(const struct parse *p)
{
    return p->tokens.items[p->at];
}

/* Never past the END. */
static void advance(struct parse *p, size_t n)
{
    p->at = MIN(p->at + n, p->tokens.count - 1);
}

static struct token ahead(const struct parse *p, size_t n)
{
    return p->tokens.items[MIN(p->at + n, p->tokens.count - 1)];
}

static bool is(const struct parse *p, const char *word)
{
    return token_is(p->sql, peek(p), word);
}

static bool take_word(struct parse *p, const char *word)
{
    bool yes = is(p, word);
    p->at += yes;
    return yes;
}

static bool take_kind(struct parse *p, enum token_kind kind)
{
    bool yes = peek(p).kind == kind;
    p->at += yes;
    return yes;
}

static enum status wrong(const struct parse *p, struct err *err)
{
    struct token t = peek(p);
    str near = str_sub(p->sql, t.start, MIN(t.end, t.start + 40));
    return err_set(err, STATUS_INVALID, "the CREATE TABLE statement of \"%.*s\" cannot be read near \"%.*s\"",
                   STR_ARG(p->def.name), STR_ARG(near));
}

/* The text of the tokens from `from` up to where we are, with a space before it. */
static str keep(struct parse *p, size_t from)
{
    if (from == p->at)
        return STR("");
    struct span s = {p->tokens.items[from].start, p->tokens.items[p->at - 1].end};
    VEC_PUSH(p->arena, &p->kept, s);
    return ARENA_CAT(p->arena, STR(" "), str_sub(p->sql, s.start, s.end));
}

/* Behind the bracket that closes the one here. */
static enum status skip_brackets(struct parse *p, struct err *err)
{
    size_t depth = 0;
    if (peek(p).kind != TOKEN_OPEN)
        return wrong(p, err);
    do {
        enum token_kind kind = peek(p).kind;
        if (kind == TOKEN_END)
            return wrong(p, err);
        depth += kind == TOKEN_OPEN;
        depth -= kind == TOKEN_CLOSE;
        p->at++;
    } while (depth);
    return STATUS_OK;
}

static enum status take_name(struct parse *p, str *ret, struct err *err)
{
    struct token t = peek(p);
    if (t.kind != TOKEN_WORD && t.kind != TOKEN_NAME && t.kind != TOKEN_STRING)
        return wrong(p, err);
    *ret = token_name(p->arena, p->sql, t);
    p->at++;
    return STATUS_OK;
}

/* ---- parts of constraints ---- */

static str take_conflict(struct parse *p)
{
    size_t from = p->at;
    if (is(p, "ON") && token_is(p->sql, ahead(p, 1), "CONFLICT"))
        advance(p, 3);
    return keep(p, from);
}

/* "CONSTRAINT name ", or nothing. */
static str take_label(struct parse *p)
{
    size_t from = p->at;
    if (!take_word(p, "CONSTRAINT"))
        return STR("");
    advance(p, 1);
    str s = keep(p, from);
    return ARENA_CAT(p->arena, str_from(s, 1), STR(" "));
}

static bool take_fk_action(struct parse *p)
{
    if (is(p, "ON") && !token_is(p->sql, ahead(p, 1), "CONFLICT")) {
        advance(p, 2);
        (void)(take_word(p, "SET") || take_word(p, "NO"));
        advance(p, 1); /* CASCADE, RESTRICT, NULL, DEFAULT, ACTION */
        return true;
    }
    if (take_word(p, "MATCH")) {
        advance(p, 1);
        return true;
    }
    if (is(p, "NOT") && token_is(p->sql, ahead(p, 1), "DEFERRABLE"))
        p->at++;
    if (take_word(p, "DEFERRABLE")) {
        if (take_word(p, "INITIALLY"))
            advance(p, 1);
        return true;
    }
    return false;
}

/* All of it are keywords, which are written large. */
static str take_fk_actions(struct parse *p)
{
    size_t from = p->at;
    str all = STR("");
    while (take_fk_action(p))
        continue;
    for (size_t i = from; i < p->at; i++)
        all = ARENA_CAT(p->arena, all, STR(" "), str_sub(p->sql, p->tokens.items[i].start, p->tokens.items[i].end));
    char *upper = arena_cstr(p->arena, all);
    for (char *c = upper; *c; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
    return str_of(upper);
}

struct names {
    VEC(str) items;
    VEC(str) words; /* what follows each: " COLLATE NOCASE DESC" */
    bool any_words, autoincrement;
};

/* (a, b COLLATE x DESC AUTOINCREMENT) */
static enum status take_names(struct parse *p, struct names *n, struct err *err)
{
    *n = (struct names){0};
    if (!take_kind(p, TOKEN_OPEN))
        return wrong(p, err);
    do {
        str name;
        enum status st = take_name(p, &name, err);
        if (st != STATUS_OK)
            return st;
        size_t from = p->at;
        if (take_word(p, "COLLATE"))
            advance(p, 1);
        (void)(take_word(p, "ASC") || take_word(p, "DESC"));
        str words = keep(p, from);
        n->autoincrement |= take_word(p, "AUTOINCREMENT");
        n->any_words |= words.n > 0;
        VEC_PUSH(p->arena, &n->items, name);
        VEC_PUSH(p->arena, &n->words, words);
    } while (take_kind(p, TOKEN_COMMA));
    return take_kind(p, TOKEN_CLOSE) ? STATUS_OK : wrong(p, err);
}

static enum status take_references(struct parse *p, struct def_column *c, bool *ret_one_column, struct err *err)
{
    struct names names = {0};
    enum status st = take_name(p, &c->fk_table, err);
    *ret_one_column = true;
    if (st == STATUS_OK && peek(p).kind == TOKEN_OPEN) {
        st = take_names(p, &names, err);
        if (st == STATUS_OK)
            c->fk_column = names.items.items[0];
        *ret_one_column = names.items.count <= 1;
    }
    if (st == STATUS_OK)
        c->fk_actions = take_fk_actions(p);
    return st;
}

/* ---- columns ---- */

static bool starts_constraint(const struct parse *p)
{
    static const char *const words[] = {"CONSTRAINT", "PRIMARY", "NOT",        "NULL",      "UNIQUE", "CHECK",
                                        "DEFAULT",    "COLLATE", "REFERENCES", "GENERATED", "AS",     "DEFERRABLE"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (is(p, words[i]))
            return true;
    return false;
}

static bool at_end(const struct parse *p)
{
    enum token_kind kind = peek(p).kind;
    return kind == TOKEN_COMMA || kind == TOKEN_CLOSE || kind == TOKEN_END;
}

static enum status take_type(struct parse *p, struct def_column *c, struct err *err)
{
    size_t from = p->at;
    while (!at_end(p) && !starts_constraint(p)) {
        if (peek(p).kind == TOKEN_OPEN) {
            enum status st = skip_brackets(p, err);
            if (st != STATUS_OK)
                return st;
        } else {
            p->at++;
        }
    }
    c->type = str_trim(keep(p, from));
    return STATUS_OK;
}

static enum status take_default(struct parse *p, struct def_column *c, struct err *err)
{
    size_t from = p->at;
    struct token t = peek(p);
    enum status st = STATUS_OK;
    bool sign = t.kind == TOKEN_OTHER && t.end == t.start + 1 && (p->sql.p[t.start] == '-' || p->sql.p[t.start] == '+');
    if (t.kind == TOKEN_OPEN)
        st = skip_brackets(p, err);
    else
        advance(p, sign ? 2 : 1);
    c->default_sql = str_from(keep(p, from), 1);
    return st;
}

static enum status take_key(struct parse *p, struct def_column *c, str label, struct err *err)
{
    size_t from;
    if (!take_word(p, "KEY"))
        return wrong(p, err);
    from = p->at;
    (void)(take_word(p, "ASC") || take_word(p, "DESC"));
    p->def.pk_order = keep(p, from);
    p->def.pk_around = (struct def_words){label, take_conflict(p)};
    p->def.autoincrement = take_word(p, "AUTOINCREMENT");
    VEC_PUSH(p->arena, &p->def.pks, c->name);
    return STATUS_OK;
}

/* What is kept as it stands. `from`: its first token. */
static void more(struct parse *p, struct def_column *c, str label, size_t from)
{
    str text = keep(p, from);
    c->more = ARENA_CAT(p->arena, c->more, label.n ? STR(" ") : STR(""), label, label.n ? str_from(text, 1) : text);
}

static enum status take_generated(struct parse *p, struct def_column *c, str label, size_t from, struct err *err)
{
    if (take_word(p, "GENERATED") && !(take_word(p, "ALWAYS") && is(p, "AS")))
        return wrong(p, err);
    if (!take_word(p, "AS"))
        return wrong(p, err);
    enum status st = skip_brackets(p, err);
    (void)(take_word(p, "STORED") || take_word(p, "VIRTUAL"));
    if (st == STATUS_OK)
        more(p, c, label, from);
    c->generated = true;
    return st;
}

static enum status take_column_constraint(struct parse *p, struct def_column *c, struct err *err)
{
    str label = take_label(p);
    size_t from = p->at;
    bool one;
    enum status st = STATUS_OK;
    if (take_word(p, "PRIMARY"))
        return take_key(p, c, label, err);
    if (take_word(p, "NOT") && take_word(p, "NULL")) {
        str after = take_conflict(p);
        c->not_null = true;
        c->words[DEF_NOT_NULL] = (struct def_words){label, after};
        return STATUS_OK;
    }
    p->at = from;
    if (take_word(p, "UNIQUE")) {
        str after = take_conflict(p);
        c->unique = true;
        c->words[DEF_UNIQUE] = (struct def_words){label, after};
        return STATUS_OK;
    }
    if (take_word(p, "DEFAULT")) {
        c->words[DEF_DEFAULT].before = label;
        return take_default(p, c, err);
    }
    if (is(p, "REFERENCES") && !c->fk_table.n) {
        p->at++;
        c->words[DEF_FK].before = label;
        return take_references(p, c, &one, err);
    }
    if (is(p, "GENERATED") || is(p, "AS"))
        return take_generated(p, c, label, from, err);
    if (take_word(p, "CHECK")) {
        st = skip_brackets(p, err);
        (void)take_conflict(p);
    } else if (take_word(p, "COLLATE")) {
        advance(p, 1);
    } else if (take_word(p, "NULL")) {
        (void)take_conflict(p);
    } else if (take_word(p, "REFERENCES")) { /* a second one */
        struct def_column other = {0};
        st = take_references(p, &other, &one, err);
    } else if (!take_fk_action(p) && !(label.n && (at_end(p) || starts_constraint(p)))) {
        return wrong(p, err);
    }
    if (st == STATUS_OK && p->at > from)
        more(p, c, label, from);
    return st;
}

static enum status take_column(struct parse *p, struct err *err)
{
    struct def_column c = {0};
    enum status st = take_name(p, &c.name, err);
    if (st == STATUS_OK)
        st = take_type(p, &c, err);
    while (st == STATUS_OK && !at_end(p))
        st = take_column_constraint(p, &c, err);
    if (st != STATUS_OK)
        return st;
    VEC_PUSH(p->arena, &p->owners, p->def.columns.count);
    VEC_PUSH(p->arena, &p->def.columns, c);
    return STATUS_OK;
}

/* ---- constraints of the table ---- */

static enum status take_table_key(struct parse *p, str label, struct err *err)
{
    struct names n = {0};
    enum status st = take_word(p, "KEY") ? take_names(p, &n, err) : wrong(p, err);
    if (st != STATUS_OK)
        return st;
    p->def.pk_around = (struct def_words){label, take_conflict(p)};
    p->def.autoincrement = n.autoincrement;
    p->def.pks.items = n.items.items;
    p->def.pks.count = n.items.count;
    p->def.pks.cap = n.items.cap;
    if (n.any_words || label.n) { /* else it is written with its column when it is a single one */
        p->def.pk_words.items = n.words.items;
        p->def.pk_words.count = n.words.count;
        p->def.pk_words.cap = n.words.cap;
    }
    return STATUS_OK;
}

/* A constraint of one column, without name, is as good as one that is written with its column. */
static bool give_to_column(struct parse *p, const struct def_constraint *k, str label, const struct names *n,
                           const struct def_column *fk, str after)
{
    struct def_column *c = n->items.count == 1 ? table_def_find(&p->def, n->items.items[0]) : NULL;
    if (!c || label.n || n->any_words)
        return false;
    if (k->kind == DEF_TABLE_UNIQUE && !c->unique) {
        c->unique = true;
        c->words[DEF_UNIQUE].after = after;
        return true;
    }
    if (k->kind == DEF_TABLE_FK && !c->fk_table.n) {
        c->fk_table = fk->fk_table;
        c->fk_column = fk->fk_column;
        c->fk_actions = fk->fk_actions;
        return true;
    }
    return false;
}

static enum status take_table_constraint(struct parse *p, struct err *err)
{
    size_t from = p->at;
    str label = take_label(p), after = STR("");
    struct names n = {0};
    struct def_column fk = {0};
    struct def_constraint k = {0};
    bool one = true;
    enum status st = STATUS_OK;
    size_t kept = p->kept.count;
    if (take_word(p, "PRIMARY")) {
        VEC_PUSH(p->arena, &p->owners, SIZE_MAX);
        return take_table_key(p, label, err);
    }
    if (take_word(p, "UNIQUE")) {
        k.kind = DEF_TABLE_UNIQUE;
        st = take_names(p, &n, err);
        after = st == STATUS_OK ? take_conflict(p) : after;
    } else if (take_word(p, "FOREIGN") && take_word(p, "KEY")) {
        k.kind = DEF_TABLE_FK;
        st = take_names(p, &n, err);
        if (st == STATUS_OK)
            st = take_word(p, "REFERENCES") ? take_references(p, &fk, &one, err) : wrong(p, err);
    } else if (take_word(p, "CHECK")) {
        k.kind = DEF_TABLE_CHECK;
        st = skip_brackets(p, err);
        (void)take_conflict(p);
    } else {
        return wrong(p, err);
    }
    if (st != STATUS_OK)
        return st;
    if (one && give_to_column(p, &k, label, &n, &fk, after)) {
        VEC_PUSH(p->arena, &p->owners, (size_t)(table_def_find(&p->def, n.items.items[0]) - p->def.columns.items));
        return STATUS_OK;
    }
    p->kept.count = kept; /* all of it is */
    k.sql = str_from(keep(p, from), 1);
    k.columns.items = n.items.items;
    k.columns.count = n.items.count;
    VEC_PUSH(p->arena, &p->owners, LIMIT_SQL_COLUMNS + p->def.constraints.count);
    VEC_PUSH(p->arena, &p->def.constraints, k);
    return STATUS_OK;
}

static bool is_table_constraint(const struct parse *p)
{
    return is(p, "CONSTRAINT") || is(p, "PRIMARY") || is(p, "UNIQUE") || is(p, "CHECK") || is(p, "FOREIGN");
}

static enum status take_items(struct parse *p, struct err *err)
{
    enum status st = STATUS_OK;
    if (!take_kind(p, TOKEN_OPEN))
        return wrong(p, err);
    do {
        do { /* constraints need no comma between them */
            size_t from = p->at;
            bool constraint = p->def.columns.count && is_table_constraint(p);
            st = constraint ? take_table_constraint(p, err) : take_column(p, err);
            if (st != STATUS_OK)
                return st;
            struct span s = {p->tokens.items[from].start, p->tokens.items[p->at - 1].end};
            VEC_PUSH(p->arena, &p->items, s);
        } while (!at_end(p));
    } while (take_kind(p, TOKEN_COMMA));
    return take_kind(p, TOKEN_CLOSE) ? STATUS_OK : wrong(p, err);
}

static enum status take_options(struct parse *p, struct err *err)
{
    while (peek(p).kind != TOKEN_END) {
        if (take_word(p, "WITHOUT") && take_word(p, "ROWID"))
            p->def.without_rowid = true;
        else if (take_word(p, "STRICT"))
            p->def.strict = true;
        else
            return wrong(p, err);
        if (!take_kind(p, TOKEN_COMMA) && peek(p).kind != TOKEN_END)
            return wrong(p, err);
    }
    return STATUS_OK;
}

static enum status take_head(struct parse *p, struct err *err)
{
    bool create = take_word(p, "CREATE");
    (void)(take_word(p, "TEMP") || take_word(p, "TEMPORARY"));
    if (!create || !take_word(p, "TABLE"))
        return wrong(p, err);
    if (is(p, "IF") && token_is(p->sql, ahead(p, 1), "NOT") && token_is(p->sql, ahead(p, 2), "EXISTS"))
        advance(p, 3);
    return take_name(p, &p->def.name, err);
}

/* ---- comments ---- */

static bool is_kept(const struct parse *p, struct token comment)
{
    for (size_t i = 0; i < p->kept.count; i++)
        if (comment.start >= p->kept.items[i].start && comment.end <= p->kept.items[i].end)
            return true;
    return false;
}

static struct def_comments *comments_of(struct parse *p, size_t item)
{
    size_t owner = item < p->owners.count ? p->owners.items[item] : SIZE_MAX;
    if (owner == SIZE_MAX)
        return &p->def.comments;
    return owner < LIMIT_SQL_COLUMNS ? &p->def.columns.items[owner].comments
                                     : &p->def.constraints.items[owner - LIMIT_SQL_COLUMNS].comments;
}

static void give_comments(struct parse *p)
{
    for (size_t i = 0; i < p->comments.count; i++) {
        struct token t = p->comments.items[i];
        size_t item = 0; /* the first one that ends behind it */
        if (is_kept(p, t))
            continue;
        while (item < p->items.count && p->items.items[item].end <= t.start)
            item++;
        str text = str_sub(p->sql, t.start, t.end);
        bool inside = item < p->items.count && p->items.items[item].start < t.start;
        bool same_line = !inside && item > 0 &&
                         str_find_char(str_sub(p->sql, p->items.items[item - 1].end, t.start), '\n') == STR_NPOS;
        struct def_comments *to = comments_of(p, same_line ? item - 1 : item);
        if ((inside || same_line) && to != &p->def.comments)
            VEC_PUSH(p->arena, &to->after, text);
        else
            VEC_PUSH(p->arena, &to->before, text);
    }
}

enum status table_def_parse(struct arena *a, str sql, struct table_def *ret, struct err *err)
{
    struct parse p = {.arena = a, .sql = sql};
    struct token t;
    size_t at = 0;
    do {
        t = sql_lex(sql, &at);
        if (t.kind == TOKEN_COMMENT)
            VEC_PUSH(a, &p.comments, t);
        else
            VEC_PUSH(a, &p.tokens, t);
    } while (t.kind != TOKEN_END);
    enum status st = take_head(&p, err);
    if (st == STATUS_OK)
        st = take_items(&p, err);
    if (st == STATUS_OK)
        st = take_options(&p, err);
    if (st != STATUS_OK)
        return st;
    if (p.def.columns.count >= LIMIT_SQL_COLUMNS) {
        err_set(err, STATUS_TOO_LARGE, "\"%.*s\" has too many columns", STR_ARG(p.def.name));
        return err_hint(err, "Less than %d are possible.", LIMIT_SQL_COLUMNS);
    }
    give_comments(&p);
    *ret = p.def;
    return STATUS_OK;
}
