/* SPDX-License-Identifier: Apache-2.0 */
/* preview — the head of a file, as a file of its own.
 *
 * The head is unpacked into a memory file and cut behind its last whole record; that file is read as any other, so
 * that what is shown is what an import would do with it. A workbook is read as it is, but not to its end. A list of
 * JSON becomes lines; a JSON document whose list lies deeper cannot be cut, and is shown only when it is short. */
#include "ingest/preview.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "codec/jsplit.h"
#include "ingest/plan.h"

#include "base/banned.h"

struct head {
    struct arena *arena;
    const struct ingest_options *given;
    struct ingest_options options;
    struct source source;
    bool whole;
};

static void close_fd(void *arg)
{
    close((int)(intptr_t)arg);
}

static enum status read_head(struct arena *a, const struct source *s, str *ret, bool *ret_whole, struct err *err)
{
    struct unpack *u;
    size_t n = 0;
    char *p = arena_alloc_raw(a, LIMIT_INGEST_PREVIEW + 1);
    enum status st = unpack_new(s, &u, err);
    if (st != STATUS_OK)
        return st;
    st = unpack_read(u, p, LIMIT_INGEST_PREVIEW + 1, &n, err);
    unpack_free(u);
    *ret_whole = n <= LIMIT_INGEST_PREVIEW;
    *ret = str_make(p, MIN(n, (size_t)LIMIT_INGEST_PREVIEW));
    return st;
}

static enum status give_all(void *arg, struct buf *to, bool *ret_end, struct err *err)
{
    str *text = arg;
    (void)err;
    buf_puts(to, *text);
    *ret_end = true;
    return STATUS_OK;
}

/* The whole records of a list, as lines. False: it is no list. */
static bool list_to_lines(struct arena *a, str text, str *ret)
{
    struct jsplit s;
    struct buf lines;
    str body = str_trim(str_starts(text, STR("\xef\xbb\xbf")) ? str_from(text, 3) : text), record, last = {0};
    if (!str_starts(body, STR("[")))
        return false;
    buf_init(&lines, text.n * 2 + 16);
    jsplit_init(&s, give_all, &body, text.n, false);
    while (jsplit_next(&s, &record, NULL) == STATUS_AGAIN) {
        if (last.n) { /* the last one may be cut: it is left out */
            for (size_t i = 0; i < last.n; i++)
                buf_putc(&lines, last.p[i] == '\n' || last.p[i] == '\r' ? ' ' : last.p[i]);
            buf_putc(&lines, '\n');
        }
        last = arena_str(a, record);
    }
    *ret = arena_str(a, buf_str(&lines));
    buf_release(&lines);
    jsplit_release(&s);
    return ret->n > 0;
}

/* A UTF-16 line end is two bytes, and its second one must stay. */
static str whole_lines(str text)
{
    size_t end = str_rfind_char(text, '\n');
    if (end == STR_NPOS)
        end = str_rfind_char(text, '\r');
    if (end == STR_NPOS)
        return text;
    return str_sub(text, 0, MIN(text.n, end + 1 + (end + 1 < text.n && text.p[end + 1] == '\0')));
}

static bool is_json(str ending)
{
    return str_is(ending, "json") || str_is(ending, "geojson");
}

static enum status make_source(struct head *h, const struct source *s, struct err *err)
{
    str text, lines;
    h->options = *h->given;
    h->source = *s;
    if (s->kind != SOURCE_STREAM) /* a workbook has its table of contents at its end: it is read as it is */
        return STATUS_OK;
    enum status st = read_head(h->arena, s, &text, &h->whole, err);
    if (st != STATUS_OK)
        return st;
    if (!h->whole && (is_json(s->ending) || h->given->format == FORMAT_JSON)) {
        if (!list_to_lines(h->arena, text, &lines)) {
            err_set(err, STATUS_INVALID, "this JSON document is too large to look into before it is imported");
            return err_hint(err, "It can be imported all the same: its columns and types are found out then.");
        }
        text = lines;
        h->options.format = FORMAT_NDJSON;
    } else if (!h->whole) {
        text = whole_lines(text);
    }
    int fd = memfd_create("preview", MFD_CLOEXEC);
    if (fd < 0)
        return err_sys(err, STATUS_IO, errno, "cannot make a file in memory");
    arena_defer(h->arena, close_fd, (void *)(intptr_t)fd);
    h->source.fd = fd;
    h->source.packing = PACKING_NONE;
    h->source.size_bytes = text.n;
    return fs_write_fd(fd, "a file in memory", text, err);
}

static str cell_text(struct arena *a, const struct cell *c)
{
    if (c->kind == CELL_NULL)
        return (str){0};
    str text = c->kind == CELL_OTHER ? str_make(c->other, c->other_n) : cell_str(c);
    return utf8_repair(a, utf8_cut(arena_str(a, text), LIMIT_INGEST_PREVIEW_CELL));
}

static void take_rows(struct arena *a, const struct batch *b, size_t columns, size_t rows, struct preview *p)
{
    for (size_t r = 0; r < b->rows.row_count && p->row_count < rows; r++) {
        const struct row *row = &b->rows.rows[r];
        for (size_t i = 0; i < columns; i++)
            p->cells[p->row_count * columns + i] =
                i < row->count ? cell_text(a, &b->rows.cells[row->first + i]) : (str){0};
        p->row_count++;
    }
}

/* Reads once; the cells are taken when the columns are known, which for JSON is after the first batch. */
static enum status look_once(struct arena *a, struct head *h, struct input *in, size_t rows, struct plan **ret_plan,
                             struct preview *p, struct err *err)
{
    struct batch b;
    bool last = false;
    struct plan *plan = plan_new(a, &h->options);
    plan_columns(plan, in->columns.items, in->columns.count);
    enum status st = input_start(in, err);
    p->row_count = 0;
    p->cells = NULL;
    batch_init(&b);
    do {
        batch_clear(&b);
        if (st == STATUS_OK)
            st = in->class->fill(in, &b, err);
        if (st != STATUS_OK)
            break;
        plan_columns(plan, b.columns, b.column_count);
        plan_look(plan, &b);
        if (!p->cells && b.rows.row_count) {
            p->column_count = plan->count;
            p->cells = ARENA_ARRAY(a, str, rows * plan->count + 1);
            take_rows(a, &b, plan->count, rows, p);
        }
        last = b.last;
    } while (!last && (h->source.kind == SOURCE_STREAM || plan->rows < LIMIT_INGEST_PREVIEW_ROWS));
    h->whole = last && (h->whole || h->source.kind != SOURCE_STREAM);
    batch_release(&b);
    *ret_plan = plan;
    return st;
}

static bool is_unique(const struct preview *p, size_t column)
{
    for (size_t r = 0; r < p->row_count; r++) {
        str own = p->cells[r * p->column_count + column];
        if (!own.n)
            return false;
        for (size_t other = 0; other < r; other++)
            if (str_eq(own, p->cells[other * p->column_count + column]))
                return false;
    }
    return p->row_count > 0;
}

static void take_columns(struct arena *a, const struct input *in, const struct plan *plan, struct preview *p)
{
    p->columns = ARENA_ARRAY(a, struct preview_column, p->column_count + 1);
    for (size_t i = 0; i < p->column_count; i++)
        p->columns[i] = (struct preview_column){.name = arena_str(a, in->columns.items[i]),
                                                .type = str_of(plan_type_name(plan->columns[i].type)),
                                                .unique = is_unique(p, i)};
}

enum status preview_make(struct arena *a, const struct source *s, const struct ingest_options *o, size_t rows,
                         struct preview *ret, struct err *err)
{
    struct head h = {.arena = a, .given = o};
    struct input *in;
    struct plan *plan = NULL;
    struct preview p = {0};
    struct err local = ERR_INIT;
    err = err ? err : &local;
    enum status st = make_source(&h, s, err);
    h.options.rename_count = 0; /* the file's own names are shown beside the new ones */
    h.options.type_count = 0;
    if (st == STATUS_OK)
        st = input_open(a, &h.source, &h.options, &in, err);
    if (st != STATUS_OK)
        return st;
    st = look_once(a, &h, in, rows, &plan, &p, err);
    while (st != STATUS_OK && in->class->recover && in->class->recover(in, err))
        st = look_once(a, &h, in, rows, &plan, &p, err);
    if (st == STATUS_OK && !plan->count)
        st = err_set(err, STATUS_INVALID, "%.*s holds no rows to make columns of", STR_ARG(s->name));
    if (st == STATUS_OK)
        st = plan_decide(plan, err);
    if (st != STATUS_OK)
        return st;
    if (!p.cells) /* a header and nothing else */
        p.column_count = plan->count;
    take_columns(a, in, plan, &p);
    p.format = str_of(h.options.format == FORMAT_NDJSON && !h.whole ? "JSON" : in->class->name);
    p.encoding = str_of(in->encoding ? in->encoding : "");
    p.delimiter = in->delimiter;
    p.header_line = in->header_line;
    p.rows_read = plan->rows;
    p.whole = h.whole;
    *ret = p;
    return STATUS_OK;
}
