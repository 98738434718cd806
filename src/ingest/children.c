/* SPDX-License-Identifier: Apache-2.0 */
/* children — lists of objects inside of rows become tables of their own, in the transaction of their parent. */
#include "base/clock.h"
#include "ingest/load.h"
#include "ingest/target.h"

#include "base/banned.h"

static str child_table(const struct ingest *parent, str parent_table, str list)
{
    return ARENA_CAT(parent->arena, parent_table, STR("_"), target_table_name(parent->arena, list));
}

/* Rows that refer to rows that go must go first. */
enum status children_clear(struct ingest *l, str table, struct err *err)
{
    struct table child;
    enum status st = STATUS_OK;
    if (!l->options->replace_table && !l->options->truncate)
        return STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < l->input->children.count; i++) {
        st = table_look(l->arena, l->conn, child_table(l, table, l->input->children.items[i]), &child, err);
        if (st == STATUS_OK && child.exists)
            st = table_empty(l->conn, child.name, err);
    }
    return st;
}

/* As the parent is imported, but for what is said of its columns. */
static const struct ingest_options *child_options(const struct ingest *parent, str parent_table, str list)
{
    const struct ingest_options *o = parent->options;
    struct ingest_parent *p = ARENA_NEW(parent->arena, struct ingest_parent);
    struct ingest_options *own = ARENA_NEW(parent->arena, struct ingest_options);
    bool numbered = parent->input->key_count > 0;
    str key = numbered ? parent->input->keys[0] : o->pk[0];
    str between = key.p[0] == '_' ? STR("") : STR("_");
    *p = (struct ingest_parent){.list = list,
                                .key = key,
                                .numbered = numbered,
                                .column = ARENA_CAT(parent->arena, parent_table, between, key),
                                .table = parent_table,
                                .key_name = key};
    *own = (struct ingest_options){.format = o->format,
                                   .skip_lines = -1,
                                   .no_types = o->no_types,
                                   .no_dates = o->no_dates,
                                   .alter = o->alter,
                                   .truncate = o->truncate,
                                   .replace_table = o->replace_table,
                                   .strict = o->strict,
                                   .dry_run = o->dry_run,
                                   .path = o->path,
                                   .flatten = o->flatten,
                                   .parent = p};
    return own;
}

/* A list that the parent's rows hold, into "parent_list". */
static enum status load_child(const struct ingest *parent, str parent_table, str list, struct ingest_report *ret,
                              struct err *err)
{
    str table = child_table(parent, parent_table, list);
    const struct ingest_options *o = child_options(parent, parent_table, list);
    struct ingest *l;
    uint64_t changed = 0;
    enum status st = ingest_look(parent->arena, parent->source, o, parent->progress, &l, err);
    if (st != STATUS_OK)
        return st;
    l->conn = parent->conn;
    if (l->conn)
        st = table_look(l->arena, l->conn, table, &l->table, err);
    if (st == STATUS_OK && l->table.exists && !parent->table.exists && !o->replace_table) {
        err_set(err, STATUS_CONFLICT, "there is a table \"%.*s\" already", STR_ARG(table));
        return err_hint(err, "The list \"%.*s\" would go there. --replace-table makes it anew.", STR_ARG(list));
    }
    rejects_init(&l->rejects, l->arena, l->conn, l->table.name.n ? l->table.name : table, l->source->name);
    if (st == STATUS_OK)
        st = l->conn ? load_table(l, table, &changed, err) : load_rows(l, err);
    if (st != STATUS_OK)
        return st;
    load_report(l, table, changed, ret);
    ret->duration_us = clock_mono_us() - l->began_us;
    return STATUS_OK;
}

enum status children_load(struct ingest *l, str table, struct err *err)
{
    enum status st = STATUS_OK;
    size_t count = l->input->children.count;
    l->children = ARENA_ARRAY(l->arena, struct ingest_report, count + 1);
    for (; st == STATUS_OK && l->child_count < count; l->child_count++)
        st = load_child(l, table, l->input->children.items[l->child_count], &l->children[l->child_count], err);
    return st;
}

enum status children_check(const struct ingest *l, struct err *err)
{
    const struct ingest_options *o = l->options;
    if (!o->children)
        return STATUS_OK;
    if (o->mode != INGEST_INSERT)
        return err_set(err, STATUS_USAGE, "--children goes with plain inserting only");
    if (o->pk_count > 1)
        return err_set(err, STATUS_USAGE, "--children needs a key of one column");
    if (l->table.exists && !o->pk_count && !o->replace_table) {
        err_set(err, STATUS_USAGE, "--children needs --pk for a table that exists");
        return err_hint(err, "It tells the rows of the lists whose they are.");
    }
    return STATUS_OK;
}
