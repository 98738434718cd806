/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers as SQL text. The reserved words are Datasette's list (SQLite's keywords of its time): a word SQLite
 * reserved later is still fine, it merely stays bare. Tests: tests/unit/site/query/test_columns.c. */
#include <stdlib.h>

#include "site/query/plan.h"

/* Sorted: bsearch. */
static const char *const reserved[] = {
    "abort",      "action",    "add",         "after",        "all",          "alter",
    "analyze",    "and",       "as",          "asc",          "attach",       "autoincrement",
    "before",     "begin",     "between",     "by",           "cascade",      "case",
    "cast",       "check",     "collate",     "column",       "commit",       "conflict",
    "constraint", "create",    "cross",       "current_date", "current_time", "current_timestamp",
    "database",   "default",   "deferrable",  "deferred",     "delete",       "desc",
    "detach",     "distinct",  "drop",        "each",         "else",         "end",
    "escape",     "except",    "exclusive",   "exists",       "explain",      "fail",
    "for",        "foreign",   "from",        "full",         "glob",         "group",
    "having",     "if",        "ignore",      "immediate",    "in",           "index",
    "indexed",    "initially", "inner",       "insert",       "instead",      "intersect",
    "into",       "is",        "isnull",      "join",         "key",          "left",
    "like",       "limit",     "match",       "natural",      "no",           "not",
    "notnull",    "null",      "of",          "offset",       "on",           "or",
    "order",      "outer",     "plan",        "pragma",       "primary",      "query",
    "raise",      "recursive", "references",  "regexp",       "reindex",      "release",
    "rename",     "replace",   "restrict",    "right",        "rollback",     "row",
    "savepoint",  "select",    "set",         "table",        "temp",         "temporary",
    "then",       "to",        "transaction", "trigger",      "union",        "unique",
    "update",     "using",     "vacuum",      "values",       "view",         "virtual",
    "when",       "where",     "with",        "without",
};

static int compare_word(const void *key, const void *item)
{
    return strcmp(key, *(const char *const *)item);
}

static bool is_plain(str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return name.n > 0;
}

static bool is_reserved(str name)
{
    char word[24];
    if (name.n >= sizeof(word))
        return false;
    for (size_t i = 0; i < name.n; i++)
        word[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
    word[name.n] = '\0';
    return bsearch(word, reserved, ARRAY_LEN(reserved), sizeof(reserved[0]), compare_word) != NULL;
}

str query_quoted(struct arena *a, str name)
{
    size_t quotes = 0;
    for (size_t i = 0; i < name.n; i++)
        quotes += name.p[i] == '"';
    char *out = arena_alloc_raw(a, name.n + quotes + 2), *to = out;
    *to++ = '"';
    for (size_t i = 0; i < name.n; i++) {
        *to++ = name.p[i];
        if (name.p[i] == '"')
            *to++ = '"';
    }
    *to++ = '"';
    return str_make(out, (size_t)(to - out));
}

str query_identifier(struct arena *a, str name)
{
    return is_plain(name) && !is_reserved(name) ? name : query_quoted(a, name);
}

str query_join(struct arena *a, const str *parts, size_t count, str separator)
{
    if (count == 0)
        return STR("");
    str *all = ARENA_ARRAY(a, str, count * 2 - 1);
    for (size_t i = 0; i < count; i++) {
        all[i * 2] = parts[i];
        if (i + 1 < count)
            all[i * 2 + 1] = separator;
    }
    return arena_concat(a, all, count * 2 - 1);
}
