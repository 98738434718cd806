/* SPDX-License-Identifier: Apache-2.0 */
/* watch: tells when files or folders changed, once per burst of changes. */
#ifndef VITRINE_RT_WATCH_H
#define VITRINE_RT_WATCH_H

#include "rt/loop.h"

struct watch;

enum watch_kind {
    WATCH_FILE,   /* one file, by name: also seen when it is replaced by rename, removed, or made later */
    WATCH_FOLDER, /* entries of one folder: made, written and closed, renamed, removed */
    WATCH_TREE,   /* the folder and all below it (hidden folders and links are not entered) */
};

/* fn(arg, id) is called on the loop's thread for each changed path, debounce_ms after the last change of a burst, but
 * at the latest 10 times debounce_ms after the first. Returns OK, IO (inotify limits; the hint names the sysctl). */
enum status watch_new(struct loop *loop, int debounce_ms, void (*fn)(void *arg, unsigned id), void *arg,
                      struct watch **ret, struct err *err) MUST_USE;
void watch_free(struct watch *w); /* NULL is fine; also from inside fn */
/* Adds a path; *ret_id (or NULL) is what fn gets (0, 1, 2 ... in order). A file's folder must exist, the file need not.
 * A folder that goes away is looked for again once a second. Returns OK, NOT_FOUND, FORBIDDEN, IO. */
enum status watch_add(struct watch *w, str path, enum watch_kind kind, unsigned *ret_id, struct err *err) MUST_USE;

#endif
