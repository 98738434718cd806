/* SPDX-License-Identifier: Apache-2.0 */
/* redirects — old addresses that lead to new ones, configured as for the plugin datasette-redirects: a map of addresses
 * a status code, with or without slashes at their ends. They come before every other page. */
#include "codec/url.h"
#include "site/links.h"
#include "site/view/view.h"

static str without_slashes(str s)
{
    while (s.n && s.p[0] == '/')
        s = str_from(s, 1);
    while (s.n && s.p[s.n - 1] == '/')
        s = str_sub(s, 0, s.n - 1);
    return s;
}

bool view_redirected(struct request *rq)
{
    static const struct {
        const char *key;
        int status;
    } kinds[] = {{"301", 301}, {"302", 302}, {"307", 307}, {"308", 308}};
    struct value all = config_plugin(&rq->site->config, STR("datasette-redirects"), (str){0}, (str){0});
    str path = without_slashes(rq->path);
    for (size_t i = 0; all.kind == VALUE_DICT && path.n && i < ARRAY_LEN(kinds); i++) {
        struct value map = value_get(all, str_of(kinds[i].key));
        for (size_t k = 0; map.kind == VALUE_DICT && k < map.dict->count; k++) {
            const struct value_entry *e = &map.dict->entries[k];
            if (!value_is_text(e->value) || !str_eq(without_slashes(e->key), path))
                continue;
            bool here = str_starts(e->value.s, STR("/")) && !str_starts(e->value.s, STR("//"));
            respond_redirect(rq, kinds[i].status, here ? link_path(rq, e->value.s) : e->value.s);
            rq->response_varies = true;
            return true;
        }
    }
    return false;
}
