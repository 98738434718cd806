/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_undo — `vitrine undo`: the last import is taken back. */
#include <stdio.h>

#include "cli/edit.h"
#include "ingest/undo.h"

static const struct option options[] = {EDIT_ABOUT};

static enum status undo(struct edit *e, struct err *err)
{
    struct undo_report r;
    enum status st = undo_last(e->arena, e->conn, &r, err);
    if (st != STATUS_OK)
        return st;
    str what = r.dropped ? arena_printf(e->arena, "the table is gone (%llu rows)", (unsigned long long)r.gone)
                         : arena_printf(e->arena, "%llu rows are gone, %llu are as they were",
                                        (unsigned long long)r.gone, (unsigned long long)r.back);
    e->note = arena_cstr(e->arena, ARENA_CAT(e->arena, STR("Took back the import of "), r.file, STR(" into "), r.table,
                                             STR(": "), what));
    return STATUS_OK;
}

int cmd_undo(int argc, char **argv)
{
    static const struct edit_command command = {"undo DATABASE",
                                                "Takes back the last import (vitrine insert, upsert): a table that it "
                                                "made goes, rows that it added go, rows that it\n"
                                                "changed are as they were. Refuses when those rows were changed since.",
                                                options,
                                                ARRAY_LEN(options),
                                                0,
                                                0,
                                                false,
                                                true,
                                                undo};
    return edit_command(&command, argc, argv);
}
