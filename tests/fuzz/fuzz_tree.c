/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tree — any bytes as the .tree of a folder's backup: a hub reads those that its spaces wrote.
 *
 * Properties: what is read names files below the folder only, each once, a folder before what is in it, and contents by
 * hashes; what is not read leaves a sentence. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "replicate/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(str path)
{
    str part, rest = path;
    ASSERT(path.n && path.n <= LIMIT_BACKUP_PATH && !memchr(path.p, '\0', path.n) && !path.p[path.n]);
    do {
        size_t slash = str_find_char(rest, '/');
        part = str_sub(rest, 0, slash == STR_NPOS ? rest.n : slash);
        ASSERT(part.n && !str_is(part, ".") && !str_is(part, ".."));
        rest = slash == STR_NPOS ? (str){0} : str_from(rest, slash + 1);
        ASSERT(slash == STR_NPOS || rest.n);
    } while (rest.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct tree t;
    if (tree_parse(a, str_make((const char *)data, size), &t, &err) == STATUS_OK) {
        ASSERT(t.count <= (size_t)LIMIT_BACKUP_FILES && t.bytes >= 0);
        for (size_t i = 0; i < t.count; i++) {
            const struct tree_entry *e = &t.entries[i];
            check_path(e->path);
            ASSERT(e->mode <= 07777 && e->bytes >= 0 && strlen(e->sha256) == (e->kind == TREE_FOLDER ? 0 : 64));
            ASSERT(strspn(e->sha256, "0123456789abcdef") == strlen(e->sha256));
            ASSERT(!i || str_cmp(e[-1].path, e->path) < 0);
        }
    } else {
        ASSERT(err.text[0]);
    }
    arena_free(a);
    return 0;
}
