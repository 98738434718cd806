/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_insert — `vitrine insert` and `vitrine upsert`: a file into a table. Options are named as sqlite-utils names
 * them. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/command.h"
#include "db/history.h"
#include "ingest/ingest.h"
#include "ingest/target.h"

enum {
    OPT_PK,
    OPT_CSV,
    OPT_TSV,
    OPT_NL,
    OPT_PATH,
    OPT_FLATTEN,
    OPT_CHILDREN,
    OPT_SHEET,
    OPT_TABLE,
    OPT_DELIMITER,
    OPT_QUOTE,
    OPT_NO_HEADERS,
    OPT_SKIP_LINES,
    OPT_ENCODING,
    OPT_DETECT,
    OPT_NO_TYPES,
    OPT_NO_DATES,
    OPT_TYPE,
    OPT_NULL,
    OPT_EMPTY_NULL,
    OPT_NOT_NULL,
    OPT_DEFAULT,
    OPT_REPLACE,
    OPT_IGNORE,
    OPT_TRUNCATE,
    OPT_REPLACE_TABLE,
    OPT_ALTER,
    OPT_STRICT,
    OPT_STOP_AFTER,
    OPT_SAMPLE,
    OPT_BATCH_SIZE,
    OPT_ANALYZE,
    OPT_INDEX,
    OPT_FTS,
    OPT_EXTRACT,
    OPT_NO_UNDO,
    OPT_ENTRY,
    OPT_DRY_RUN,
    OPT_JSON,
    OPT_SILENT,
    OPT_HELP
};
static const struct option options[] = {
    {"--pk", 0, OPTION_VALUE, "COLUMN", "Primary key; give it again for a key of several columns", OPT_PK},
    {"--csv", 'c', OPTION_FLAG, NULL, "It is delimited text (found out otherwise)", OPT_CSV},
    {"--tsv", 't', OPTION_FLAG, NULL, "It is tab-separated text", OPT_TSV},
    {"--nl", 0, OPTION_FLAG, NULL, "It is newline-delimited JSON", OPT_NL},
    {"--path", 0, OPTION_VALUE, "A.B", "Keys to the list in a JSON document (found out otherwise)", OPT_PATH},
    {"--flatten", 0, OPTION_FLAG, NULL, "JSON objects inside of rows become columns a_b", OPT_FLATTEN},
    {"--children", 0, OPTION_FLAG, NULL, "JSON: lists of objects inside of rows become tables TABLE_list",
     OPT_CHILDREN},
    {"--sheet", 0, OPTION_VALUE, "NAME", "Which sheet of a workbook, by name or number (default: the first)",
     OPT_SHEET},
    {"--table", 0, OPTION_VALUE, "NAME", "Which table of an SQLite file or SQL dump (default: the only one)",
     OPT_TABLE},
    {"--delimiter", 0, OPTION_VALUE, "CHAR", "What separates cells (found out otherwise)", OPT_DELIMITER},
    {"--quotechar", 0, OPTION_VALUE, "CHAR", "What quotes cells (default \"), '' for nothing", OPT_QUOTE},
    {"--no-headers", 0, OPTION_FLAG, NULL, "The first row is data: columns are column_1, column_2, ...",
     OPT_NO_HEADERS},
    {"--skip-lines", 0, OPTION_VALUE, "N", "Lines before the header (found out otherwise)", OPT_SKIP_LINES},
    {"--encoding", 0, OPTION_VALUE, "NAME", "utf-8, utf-16, windows-1252, mac-roman, ... (found out otherwise)",
     OPT_ENCODING},
    {"--detect-types", 'd', OPTION_FLAG, NULL, "Find types out; that is what happens anyway", OPT_DETECT},
    {"--no-types", 0, OPTION_FLAG, NULL, "All columns are TEXT", OPT_NO_TYPES},
    {"--no-detect-types", 0, OPTION_FLAG, NULL, "The same", OPT_NO_TYPES},
    {"--no-dates", 0, OPTION_FLAG, NULL, "Leave dates as they are written", OPT_NO_DATES},
    {"--type", 0, OPTION_PAIR, "COLUMN TYPE", "TEXT, INTEGER or REAL; rows that do not fit are rejected", OPT_TYPE},
    {"--null", 0, OPTION_VALUE, "TEXT", "A text that means NULL, such as NA; may be given again", OPT_NULL},
    {"--empty-null", 0, OPTION_FLAG, NULL, "Empty cells of text columns are NULL too", OPT_EMPTY_NULL},
    {"--not-null", 0, OPTION_VALUE, "COLUMN", "The column must have a value", OPT_NOT_NULL},
    {"--default", 0, OPTION_PAIR, "COLUMN VALUE", "Default value of the column", OPT_DEFAULT},
    {"--replace", 0, OPTION_FLAG, NULL, "Replace rows whose key exists", OPT_REPLACE},
    {"--ignore", 0, OPTION_FLAG, NULL, "Leave rows out whose key exists", OPT_IGNORE},
    {"--truncate", 0, OPTION_FLAG, NULL, "Empty the table first", OPT_TRUNCATE},
    {"--replace-table", 0, OPTION_FLAG, NULL, "Make the table anew", OPT_REPLACE_TABLE},
    {"--alter", 0, OPTION_FLAG, NULL, "Add columns that the table does not have", OPT_ALTER},
    {"--strict", 0, OPTION_FLAG, NULL, "Import nothing when one row does not fit", OPT_STRICT},
    {"--stop-after", 0, OPTION_VALUE, "N", "Import at most N rows", OPT_STOP_AFTER},
    {"--sample", 0, OPTION_VALUE, "N",
     "Guess types from the first N rows, or \"all\": read the file twice; same result", OPT_SAMPLE},
    {"--batch-size", 0, OPTION_VALUE, "N", "Accepted for compatibility: an import is one transaction", OPT_BATCH_SIZE},
    {"--analyze", 0, OPTION_FLAG, NULL, "Run ANALYZE afterwards", OPT_ANALYZE},
    {"--index", 0, OPTION_VALUE, "COLUMN", "Make an index on it; may be given again", OPT_INDEX},
    {"--fts", 0, OPTION_VALUE, "COLUMN", "Make a search index on it, kept up to date; may be given again", OPT_FTS},
    {"--extract", 0, OPTION_VALUE, "COLUMN", "Move it into a lookup table; may be given again", OPT_EXTRACT},
    {"--no-undo", 0, OPTION_FLAG, NULL, "Keep nothing for vitrine undo", OPT_NO_UNDO},
    {"--entry", 0, OPTION_VALUE, "NAME", "Which file of a zip", OPT_ENTRY},
    {"--dry-run", 0, OPTION_FLAG, NULL, "Say what would happen, change nothing", OPT_DRY_RUN},
    {"--json", 0, OPTION_FLAG, NULL, "Print the report as JSON", OPT_JSON},
    {"--silent", 0, OPTION_FLAG, NULL, "No report, no progress", OPT_SILENT},
    {"--help", 'h', OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct insert {
    struct arena *arena;
    struct ingest_options o;
    VEC(str) pk, not_null, nulls, indexes, fts, extracts;
    VEC(struct ingest_pair) types, defaults;
    str words[3]; /* DB TABLE FILE */
    size_t word_count;
    bool json, silent, no_undo, help;
};

static int print_help(const char *verb)
{
    printf("Usage: vitrine %s [OPTIONS] DATABASE TABLE FILE\n\n"
           "%s the rows of a file into a table; FILE is - for standard input, or a URL, and may be packed\n"
           "(.gz, .zst, .zip): CSV and its relatives, JSON, NDJSON, GeoJSON, workbooks (.xlsx), SQLite files and\n"
           "SQL dumps. Encoding, delimiter, "
           "header and types are "
           "found out from the whole file. Rows\n"
           "that do not fit go to the table TABLE__rejects, with line and reason.\n\nOptions:\n",
           verb, strcmp(verb, "upsert") == 0 ? "Puts (by key: changes or adds)" : "Puts");
    option_print_help(options, ARRAY_LEN(options));
    return 0;
}

static enum status one_char(str value, const char *option, str *ret, struct err *err)
{
    if (str_is(value, "\\t") || str_is(value, "tab"))
        value = STR("\t");
    if (value.n != 1 || (unsigned char)value.p[0] >= 0x80 || value.p[0] == '\n' || value.p[0] == '\r')
        return err_set(err, STATUS_USAGE, "%s must be one ASCII character, not \"%.*s\"", option, STR_ARG(value));
    *ret = value;
    return STATUS_OK;
}

static enum status count(str value, const char *option, int64_t *ret, struct err *err)
{
    if (!str_to_i64(value, ret) || *ret < 0)
        return err_set(err, STATUS_USAGE, "%s must be a number, not \"%.*s\"", option, STR_ARG(value));
    return STATUS_OK;
}

static enum status apply_text(struct insert *i, int id, str value, str second, struct err *err)
{
    int64_t ignored;
    switch (id) {
    case -1:
        if (i->word_count == ARRAY_LEN(i->words))
            return err_set(err, STATUS_USAGE, "\"%.*s\" is one argument too many", STR_ARG(value));
        i->words[i->word_count++] = value;
        break;
    case OPT_PK:
        VEC_PUSH(i->arena, &i->pk, value);
        break;
    case OPT_DELIMITER:
        return one_char(value, "--delimiter", &i->o.delimiter, err);
    case OPT_QUOTE:
        i->o.no_quotes = value.n == 0;
        return value.n ? one_char(value, "--quotechar", &i->o.quote, err) : STATUS_OK;
    case OPT_SKIP_LINES:
        return count(value, "--skip-lines", &i->o.skip_lines, err);
    case OPT_STOP_AFTER:
        return count(value, "--stop-after", &i->o.stop_after, err);
    case OPT_SAMPLE:
        i->o.sample_rows = -1;
        return str_is(value, "all") ? STATUS_OK : count(value, "--sample", &i->o.sample_rows, err);
    case OPT_BATCH_SIZE:
        return count(value, "--batch-size", &ignored, err);
    case OPT_ENCODING:
        i->o.encoding = value;
        break;
    case OPT_TYPE:
        VEC_PUSH(i->arena, &i->types, (struct ingest_pair){value, second});
        break;
    case OPT_DEFAULT:
        VEC_PUSH(i->arena, &i->defaults, (struct ingest_pair){value, second});
        break;
    case OPT_NULL:
        VEC_PUSH(i->arena, &i->nulls, value);
        break;
    case OPT_NOT_NULL:
        VEC_PUSH(i->arena, &i->not_null, value);
        break;
    case OPT_INDEX:
        VEC_PUSH(i->arena, &i->indexes, value);
        break;
    case OPT_FTS:
        VEC_PUSH(i->arena, &i->fts, value);
        break;
    case OPT_EXTRACT:
        VEC_PUSH(i->arena, &i->extracts, value);
        break;
    case OPT_PATH:
        i->o.path = value;
        break;
    case OPT_SHEET:
    case OPT_TABLE:
        i->o.part = value;
        break;
    case OPT_ENTRY:
        i->o.entry = value;
        break;
    default:
        break;
    }
    return STATUS_OK;
}

static void apply_flag(struct insert *i, int id)
{
    struct ingest_options *o = &i->o;
    const struct {
        int id;
        bool *flag;
    } flags[] = {{OPT_NO_HEADERS, &o->no_headers},
                 {OPT_NO_TYPES, &o->no_types},
                 {OPT_NO_DATES, &o->no_dates},
                 {OPT_EMPTY_NULL, &o->empty_null},
                 {OPT_TRUNCATE, &o->truncate},
                 {OPT_REPLACE_TABLE, &o->replace_table},
                 {OPT_ALTER, &o->alter},
                 {OPT_STRICT, &o->strict},
                 {OPT_ANALYZE, &o->analyze},
                 {OPT_DRY_RUN, &o->dry_run},
                 {OPT_FLATTEN, &o->flatten},
                 {OPT_CHILDREN, &o->children},
                 {OPT_JSON, &i->json},
                 {OPT_SILENT, &i->silent},
                 {OPT_NO_UNDO, &i->no_undo},
                 {OPT_HELP, &i->help}};
    for (size_t k = 0; k < ARRAY_LEN(flags); k++)
        if (flags[k].id == id)
            *flags[k].flag = true;
    if (id == OPT_CSV || id == OPT_TSV)
        o->format = id == OPT_CSV ? FORMAT_CSV : FORMAT_TSV;
    if (id == OPT_NL)
        o->format = FORMAT_NDJSON;
}

static enum status read_options(struct insert *i, int argc, char **argv, struct err *err)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    bool replace = false, ignore = false;
    str value, second;
    int id;
    enum status st;
    while ((st = option_next(&r, &id, &value, &second, err)) == STATUS_AGAIN) {
        st = apply_text(i, id, value, second, err);
        if (st != STATUS_OK)
            return st;
        apply_flag(i, id);
        replace |= id == OPT_REPLACE;
        ignore |= id == OPT_IGNORE;
    }
    if (st != STATUS_OK || i->help)
        return st;
    if (replace + ignore + (i->o.mode == INGEST_UPSERT) > 1)
        return err_set(err, STATUS_USAGE, "--replace, --ignore and upsert exclude each other");
    if (replace || ignore)
        i->o.mode = replace ? INGEST_REPLACE : INGEST_IGNORE;
    if (i->word_count < ARRAY_LEN(i->words)) {
        static const char *const missing[] = {"a database", "a table", "a file (or - for standard input)"};
        err_set(err, STATUS_USAGE, "%s is missing", missing[i->word_count]);
        return err_hint(err, "Usage: vitrine insert DATABASE TABLE FILE");
    }
    i->o.pk = i->pk.items;
    i->o.pk_count = i->pk.count;
    i->o.not_null = i->not_null.items;
    i->o.not_null_count = i->not_null.count;
    i->o.indexes = i->indexes.items;
    i->o.index_count = i->indexes.count;
    i->o.fts = i->fts.items;
    i->o.fts_count = i->fts.count;
    i->o.extracts = i->extracts.items;
    i->o.extract_count = i->extracts.count;
    i->o.undo = !i->no_undo;
    i->o.nulls = i->nulls.items;
    i->o.null_count = i->nulls.count;
    i->o.types = i->types.items;
    i->o.type_count = i->types.count;
    i->o.defaults = i->defaults.items;
    i->o.default_count = i->defaults.count;
    return STATUS_OK;
}

static enum status check_table_name(str name, struct err *err)
{
    if (!name.n || memchr(name.p, 0, name.n))
        return err_set(err, STATUS_USAGE, "the name of the table is empty");
    if (name.n >= 7 && str_eq_nocase(str_sub(name, 0, 7), STR("sqlite_")))
        return err_set(err, STATUS_USAGE, "names that begin with sqlite_ belong to SQLite: \"%.*s\"", STR_ARG(name));
    return STATUS_OK;
}

static void print_report(const struct insert *i, const struct ingest_report *r)
{
    struct buf out;
    buf_init(&out, LIMIT_JSON_OUTPUT);
    if (i->json) {
        ingest_report_json(&out, r);
        buf_putc(&out, '\n');
        fwrite(out.p, 1, out.n, stdout);
    } else if (!i->silent) {
        ingest_report_text(&out, r);
        fwrite(out.p, 1, out.n, stderr);
    }
    buf_release(&out);
}

static enum status import(struct insert *i, struct err *err)
{
    struct source source;
    struct conn *c = NULL;
    struct ingest_report report;
    struct progress progress = i->silent || i->json ? (struct progress){0} : progress_terminal();
    struct fetch_url_options fetch = {.progress = &progress};
    char *path = arena_cstr(i->arena, i->words[0]);
    enum status st = check_table_name(i->words[1], err);
    if (st == STATUS_OK)
        st = source_open(i->arena, i->words[2], i->o.entry, &fetch, &source, err);
    if (st == STATUS_OK && (!i->o.dry_run || access(path, F_OK) == 0))
        st = target_open(i->words[0], false, &c, err);
    i->o.who = str_of(getenv("USER"));
    i->o.via = STR(HISTORY_COMMAND_LINE);
    if (st == STATUS_OK)
        st = ingest_run(i->arena, c, &source, i->words[1], &i->o, &progress, &report, err);
    conn_close(c);
    if (st == STATUS_OK)
        print_report(i, &report);
    return st;
}

static int run(enum ingest_mode mode, const char *verb, int argc, char **argv)
{
    struct arena *a = arena_new(0);
    struct insert i = {.arena = a, .o = {.mode = mode, .skip_lines = -1}};
    struct err err = ERR_INIT;
    enum status st = read_options(&i, argc, argv, &err);
    int code = 0;
    if (st == STATUS_OK)
        st = i.help ? STATUS_OK : import(&i, &err);
    if (st == STATUS_OK && i.help)
        code = print_help(verb);
    if (st != STATUS_OK)
        code = command_fail(&err);
    arena_free(a);
    return code;
}

int cmd_insert(int argc, char **argv)
{
    return run(INGEST_INSERT, "insert", argc, argv);
}

int cmd_upsert(int argc, char **argv)
{
    return run(INGEST_UPSERT, "upsert", argc, argv);
}
