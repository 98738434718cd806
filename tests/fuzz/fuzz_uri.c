/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a request target, as a query string, as a file path and as a name in a path. */
#include <stdlib.h>

#include "codec/url.h"
#include "http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAIRS_MAX 1000

static void query(struct arena *a, str text)
{
    struct url_pair *pairs = NULL, *again = NULL;
    size_t count = 0, count_again = 0;
    if (!url_parse_query(a, text, PAIRS_MAX, &pairs, &count))
        return;
    /* What was decoded survives being encoded and decoded; one empty pair alone is written as "=", and comes back. */
    if (!url_parse_query(a, url_encode(a, pairs, count), PAIRS_MAX, &again, &count_again) || count != count_again)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (!str_eq(pairs[i].key, again[i].key) || !str_eq(pairs[i].value, again[i].value))
            abort();
    }
}

static void file_path(struct arena *a, str text, struct err *err)
{
    str path;
    if (uri_file_path(a, text, &path, err) != STATUS_OK)
        return;
    if (path.n && path.p[0] == '/')
        abort();
    for (str rest = path, segment; rest.n;) { /* nothing may climb out */
        (void)str_cut(rest, '/', &segment, &rest);
        if (str_is(segment, "..") || str_is(segment, "."))
            abort();
    }
    if (str_find_char(path, '\0') != STR_NPOS || str_find_char(path, '\\') != STR_NPOS)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(0);
    struct err err = {0};
    struct uri_target target;
    str text = str_make((const char *)data, size);
    for (int form = 0; form < 3; form++) {
        if (uri_parse_target(text, form == 1, form == 2, &target, &err) == STATUS_OK &&
            target.path.n + target.query.n > size + 1)
            abort();
    }
    (void)uri_authority_ok(text);
    query(a, text);
    file_path(a, text, &err);
    if (!str_eq(tilde_decode(a, tilde_encode(a, text)), text) ||
        !str_eq(url_unquote(a, url_quote(a, text, "/")), text) ||
        !str_eq(url_unquote_plus(a, url_quote_plus(a, text)), text))
        abort();
    (void)tilde_decode(a, text);
    (void)url_unquote_plus(a, text);
    arena_free(a);
    return 0;
}
