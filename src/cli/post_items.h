/* SPDX-License-Identifier: Apache-2.0 */
/* post_items: the objects of a JSON list or of NDJSON, one after the other, first to last or last to first. Memory is
 * one object; reading backwards takes 16 bytes more for each, and the file unpacked on disk. */
#ifndef VITRINE_CLI_POST_ITEMS_H
#define VITRINE_CLI_POST_ITEMS_H

#include "base/arena.h"
#include "base/err.h"

struct post_items;

struct post_item {
    str text;    /* valid until the next one */
    uint64_t at; /* its number in the file, from 0 */
    uint64_t line;
};

/* file: a path, a URL, or "-"; may be packed. */
enum status post_items_open(struct arena *a, str file, bool reverse, struct post_items **ret, struct err *err) MUST_USE;
void post_items_close(struct post_items *p); /* NULL is fine */
/* AGAIN: *ret is the next. OK: there are no more. INVALID, TOO_LARGE: the file is damaged from here on. */
enum status post_items_next(struct post_items *p, struct post_item *ret, struct err *err) MUST_USE;
/* How far it is in the file: packed bytes of all of them. */
void post_items_progress(const struct post_items *p, uint64_t *ret_position, uint64_t *ret_size);

#endif
