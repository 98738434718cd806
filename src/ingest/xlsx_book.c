/* SPDX-License-Identifier: Apache-2.0 */
/* xlsx_book — a workbook is a zip of XML files ("parts") that name each other:
 *
 *   [Content_Types].xml -> which part is the workbook -> its sheets, by ids -> its _rels file: the parts of those ids
 *                                                     -> styles.xml, sharedStrings.xml
 *
 * The shared texts stay in memory for the whole import, since any cell may name any of them; LIMIT_INGEST_XLSX_TEXTS
 * bounds them. Tests: tests/ingest/test_xlsx.py, fuzz target `infer`. */
#include "ingest/xlsx_book.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ingest/xlsx_value.h"
#include "ingest/xml_part.h"
#include "ingest/zip.h"

#include "base/banned.h"

struct relation {
    str id, target;
    bool sheet;
};

struct custom_format {
    int64_t id;
    unsigned show;
};

struct reading {
    struct arena *arena;
    const struct source *source;
    struct zip_entry *entries;
    size_t entry_count;
    str workbook; /* the name of its part */
    bool binary;
    VEC(struct relation) relations;
    str styles, strings; /* names of parts */
    VEC(struct xlsx_sheet) sheets;
    VEC(str) ids; /* of the sheets */
    bool date1904;

    VEC(struct custom_format) custom;
    VEC(uint8_t) formats;
    bool in_cell_formats;

    struct buf texts;
    VEC(uint32_t) ends;
    bool in_text;
    unsigned phonetic;
};

static enum status nothing(void *arg, str name, struct err *err)
{
    (void)arg;
    (void)name;
    (void)err;
    return STATUS_OK;
}

/* ---- parts ------------------------------------------------------------------------------------------------------ */

static bool same_name(str a, str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) { /* some writers use backslashes, or other letters than they refer to */
        char x = a.p[i] == '\\' ? '/' : a.p[i], y = b.p[i] == '\\' ? '/' : b.p[i];
        if (!str_eq_nocase(str_make(&x, 1), str_make(&y, 1)))
            return false;
    }
    return true;
}

static const struct zip_entry *find_part(const struct reading *r, str name)
{
    for (size_t i = 0; i < r->entry_count; i++)
        if (same_name(r->entries[i].name, name))
            return &r->entries[i];
    return NULL;
}

/* "../x.xml" as seen from "xl/workbook.xml" -> "x.xml"; "/xl/y.xml" -> "xl/y.xml" */
static str resolve(struct arena *a, str from, str target)
{
    if (target.n && target.p[0] == '/')
        return arena_str(a, str_from(target, 1));
    size_t slash = str_rfind_char(from, '/');
    str folder = slash == STR_NPOS ? STR("") : str_sub(from, 0, slash);
    while (str_starts(target, STR("../")) || str_starts(target, STR("./"))) {
        bool up = target.p[1] == '.';
        target = str_from(target, up ? 3 : 2);
        slash = str_rfind_char(folder, '/');
        if (up)
            folder = slash == STR_NPOS ? STR("") : str_sub(folder, 0, slash);
    }
    return folder.n ? ARENA_CAT(a, folder, STR("/"), target) : arena_str(a, target);
}

/* Reads a part; one that is not there is no error when `needed` is false. */
static enum status read_part(struct reading *r, str name, bool needed, const struct xml_calls *calls, struct err *err)
{
    const struct zip_entry *e = find_part(r, name);
    if (!e && needed) {
        err_set(err, STATUS_INVALID, "%.*s is no workbook: it has no %.*s", STR_ARG(r->source->name), STR_ARG(name));
        return err_hint(err, "Open it in a spreadsheet program and save it again, or save it as CSV.");
    }
    return e ? xml_part_read(r->source, e->index, e->name, calls, r, err) : STATUS_OK;
}

static enum status on_content_type(void *arg, str name, const char *const *attributes, struct err *err)
{
    struct reading *r = arg;
    str part = xml_attribute(attributes, "PartName"), type = xml_attribute(attributes, "ContentType");
    (void)err;
    if (!str_is(name, "Override"))
        return STATUS_OK;
    if (str_ends(type, STR(".main+xml")) && str_find(type, STR("spreadsheetml")) != STR_NPOS)
        r->workbook = resolve(r->arena, STR(""), part);
    else if (str_ends(type, STR(".main+xml")) && str_find(type, STR("ms-excel")) != STR_NPOS)
        r->workbook = resolve(r->arena, STR(""), part); /* with macros */
    r->binary |= str_find(type, STR("sheet.binary")) != STR_NPOS;
    return STATUS_OK;
}

static enum status on_relation(void *arg, str name, const char *const *attributes, struct err *err)
{
    struct reading *r = arg;
    str type = xml_attribute(attributes, "Type"), target = xml_attribute(attributes, "Target");
    (void)err;
    if (!str_is(name, "Relationship") || str_is(xml_attribute(attributes, "TargetMode"), "External"))
        return STATUS_OK; /* links to other files are not followed */
    str part = resolve(r->arena, r->workbook, target);
    if (str_ends(type, STR("/styles")))
        r->styles = part;
    else if (str_ends(type, STR("/sharedStrings")))
        r->strings = part;
    else
        VEC_PUSH(r->arena, &r->relations,
                 (struct relation){arena_str(r->arena, xml_attribute(attributes, "Id")), part,
                                   str_ends(type, STR("/worksheet"))});
    return STATUS_OK;
}

static enum status on_workbook(void *arg, str name, const char *const *attributes, struct err *err)
{
    struct reading *r = arg;
    if (str_is(name, "workbookPr")) {
        str value = xml_attribute(attributes, "date1904");
        r->date1904 = str_is(value, "1") || str_is(value, "true");
    }
    if (!str_is(name, "sheet"))
        return STATUS_OK;
    if (r->sheets.count == LIMIT_INGEST_SHEETS) {
        err_set(err, STATUS_TOO_LARGE, "it has more than %d sheets", LIMIT_INGEST_SHEETS);
        return err_hint(err, "Save the sheets that you want as CSV, and import those.");
    }
    str state = xml_attribute(attributes, "state");
    VEC_PUSH(r->arena, &r->sheets,
             (struct xlsx_sheet){.name = arena_str(r->arena, xml_attribute(attributes, "name")),
                                 .hidden = str_is(state, "hidden") || str_is(state, "veryHidden")});
    VEC_PUSH(r->arena, &r->ids, arena_str(r->arena, xml_attribute(attributes, "id")));
    return STATUS_OK;
}

/* Gives each sheet its part; charts and dialogs are no tables, and are left out. */
static enum status join_sheets(struct reading *r, struct err *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->sheets.count; i++)
        for (size_t k = 0; k < r->relations.count; k++) {
            const struct relation *relation = &r->relations.items[k];
            const struct zip_entry *e =
                relation->sheet && str_eq(relation->id, r->ids.items[i]) ? find_part(r, relation->target) : NULL;
            if (!e)
                continue;
            r->sheets.items[kept] = r->sheets.items[i];
            r->sheets.items[kept++].entry = e->index;
            break;
        }
    r->sheets.count = kept;
    return kept ? STATUS_OK : err_set(err, STATUS_INVALID, "%.*s has no sheets", STR_ARG(r->source->name));
}

/* ---- styles ----------------------------------------------------------------------------------------------------- */

static unsigned format_of(const struct reading *r, int64_t id)
{
    for (size_t i = 0; i < r->custom.count; i++)
        if (r->custom.items[i].id == id)
            return r->custom.items[i].show;
    return xlsx_format_builtin(id);
}

static enum status on_style(void *arg, str name, const char *const *attributes, struct err *err)
{
    struct reading *r = arg;
    int64_t id = 0;
    if (str_is(name, "cellXfs"))
        r->in_cell_formats = true;
    if (r->custom.count + r->formats.count >= (size_t)LIMIT_INGEST_XLSX_STYLES) {
        err_set(err, STATUS_TOO_LARGE, "it has more than %d formats", LIMIT_INGEST_XLSX_STYLES);
        return err_hint(err, "Save the sheet as CSV, and import that.");
    }
    if (str_is(name, "numFmt") && str_to_i64(xml_attribute(attributes, "numFmtId"), &id))
        VEC_PUSH(r->arena, &r->custom,
                 (struct custom_format){id, xlsx_format_code(xml_attribute(attributes, "formatCode"))});
    if (str_is(name, "xf") && r->in_cell_formats) {
        if (!str_to_i64(xml_attribute(attributes, "numFmtId"), &id))
            id = 0;
        VEC_PUSH(r->arena, &r->formats, (uint8_t)format_of(r, id));
    }
    return STATUS_OK;
}

static enum status on_style_end(void *arg, str name, struct err *err)
{
    struct reading *r = arg;
    (void)err;
    if (str_is(name, "cellXfs"))
        r->in_cell_formats = false;
    return STATUS_OK;
}

/* ---- shared texts ----------------------------------------------------------------------------------------------- */

static enum status on_string(void *arg, str name, const char *const *attributes, struct err *err)
{
    struct reading *r = arg;
    (void)attributes;
    (void)err;
    r->phonetic += str_is(name, "rPh"); /* how to pronounce it: no part of the text */
    r->in_text = str_is(name, "t") && !r->phonetic;
    return STATUS_OK;
}

static enum status on_string_text(void *arg, str text, struct err *err)
{
    struct reading *r = arg;
    (void)err;
    if (r->in_text)
        buf_puts(&r->texts, text);
    return STATUS_OK;
}

static enum status on_string_end(void *arg, str name, struct err *err)
{
    struct reading *r = arg;
    r->in_text = false;
    if (str_is(name, "rPh") && r->phonetic)
        r->phonetic--;
    if (!str_is(name, "si"))
        return STATUS_OK;
    size_t begin = r->ends.count ? r->ends.items[r->ends.count - 1] : 0;
    if (r->texts.over || r->texts.n + r->ends.count * 4 > (size_t)LIMIT_INGEST_XLSX_TEXTS) {
        err_set(err, STATUS_TOO_LARGE, "its texts are longer than %d bytes", LIMIT_INGEST_XLSX_TEXTS);
        return err_hint(err, "Save the sheet as CSV, and import that.");
    }
    if (r->texts.n > begin)
        r->texts.n = begin + xlsx_unescape(r->texts.p + begin, r->texts.n - begin);
    VEC_PUSH(r->arena, &r->ends, (uint32_t)r->texts.n);
    return STATUS_OK;
}

static void free_texts(void *p)
{
    free(p);
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

static enum status binary(const struct source *s, struct err *err)
{
    err_set(err, STATUS_INVALID, "%.*s is a binary workbook (.xlsb)", STR_ARG(s->name));
    return err_hint(err, "Save it as .xlsx or .csv first.");
}

static enum status read_sheets(struct reading *r, struct err *err)
{
    static const struct xml_calls types = {on_content_type, nothing, NULL}, book = {on_workbook, nothing, NULL},
                                  relations = {on_relation, nothing, NULL};
    r->workbook = STR("xl/workbook.xml");
    enum status st = read_part(r, STR("[Content_Types].xml"), false, &types, err);
    if (st == STATUS_OK && r->binary)
        return binary(r->source, err);
    if (st == STATUS_OK)
        st = read_part(r, r->workbook, true, &book, err);
    size_t slash = str_rfind_char(r->workbook, '/');
    str folder = slash == STR_NPOS ? STR("") : str_sub(r->workbook, 0, slash + 1);
    str relation_part = ARENA_CAT(r->arena, folder, STR("_rels/"), str_from(r->workbook, folder.n), STR(".rels"));
    if (st == STATUS_OK)
        st = read_part(r, relation_part, true, &relations, err);
    return st == STATUS_OK ? join_sheets(r, err) : st;
}

enum status xlsx_book_open(struct arena *a, const struct source *s, bool whole, struct xlsx_book *ret, struct err *err)
{
    static const struct xml_calls styles = {on_style, on_style_end, NULL},
                                  strings = {on_string, on_string_end, on_string_text};
    struct reading r = {.arena = a, .source = s};
    buf_init(&r.texts, LIMIT_INGEST_XLSX_TEXTS + 1);
    enum status st = zip_list(a, s, &r.entries, &r.entry_count, err);
    if (st == STATUS_OK)
        st = read_sheets(&r, err);
    if (st == STATUS_OK && whole && r.styles.n)
        st = read_part(&r, r.styles, false, &styles, err);
    if (st == STATUS_OK && whole && r.strings.n)
        st = read_part(&r, r.strings, false, &strings, err);
    if (st != STATUS_OK) {
        buf_release(&r.texts);
        return st;
    }
    arena_defer(a, free_texts, r.texts.p);
    *ret = (struct xlsx_book){.sheets = r.sheets.items,
                              .sheet_count = r.sheets.count,
                              .date1904 = r.date1904,
                              .formats = r.formats.items,
                              .format_count = r.formats.count,
                              .texts = r.texts.p,
                              .ends = r.ends.items,
                              .text_count = r.ends.count};
    return STATUS_OK;
}

static enum status no_sheet(const struct xlsx_book *b, str file, str wanted, struct err *err)
{
    char list[256];
    size_t n = 0;
    for (size_t i = 0; i < b->sheet_count && n < sizeof list - 1; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%.*s", i ? ", " : "", STR_ARG(b->sheets[i].name));
    err_set(err, STATUS_NOT_FOUND, "%.*s has no sheet \"%.*s\"", STR_ARG(file), STR_ARG(wanted));
    return err_hint(err, "Its sheets are: %s", list);
}

enum status xlsx_book_find(const struct xlsx_book *b, str file, str wanted, size_t *ret, struct err *err)
{
    int64_t number;
    size_t first = 0;
    for (size_t i = 0; i < b->sheet_count; i++)
        if (wanted.n && str_eq(b->sheets[i].name, wanted)) {
            *ret = i;
            return STATUS_OK;
        }
    if (wanted.n) {
        if (!str_to_i64(wanted, &number) || number < 1 || (uint64_t)number > b->sheet_count)
            return no_sheet(b, file, wanted, err);
        *ret = (size_t)number - 1;
        return STATUS_OK;
    }
    while (first + 1 < b->sheet_count && b->sheets[first].hidden)
        first++;
    *ret = b->sheets[first].hidden ? 0 : first;
    return STATUS_OK;
}
