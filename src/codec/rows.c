/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/rows.h"

#include <stdlib.h>

#include "base/mem.h"

void rows_release(struct rows *r)
{
    free(r->cells);
    free(r->rows);
    *r = (struct rows){0};
}

void rows_grow_cells(struct rows *r)
{
    r->cell_cap = r->cell_cap ? size_mul(r->cell_cap, 2) : 1024;
    r->cells = mem_resize(r->cells, r->cell_cap, sizeof *r->cells);
}

void rows_grow_rows(struct rows *r)
{
    r->row_cap = r->row_cap ? size_mul(r->row_cap, 2) : 256;
    r->rows = mem_resize(r->rows, r->row_cap, sizeof *r->rows);
}
