/* SPDX-License-Identifier: Apache-2.0 */
#include "site/searchable.h"

#include "base/limits.h"
#include "site/tables.h"

bool searchable_table(const struct request *rq, const struct schema_table *t)
{
    struct value configured = VALUE_GET(config_table(&rq->site->config, rq->db->name, t->name), "fts_table");
    bool indexed = t->fts_table.n || (value_is_text(configured) && configured.s.n);
    return indexed && !t->error.n && !table_is_hidden(rq, t) && table_allowed(rq, t);
}

bool searchable_any(const struct request *rq)
{
    bool found = false;
    for (size_t i = 0; !found && i < rq->site->published_count && i < (size_t)LIMIT_SEARCH_DATABASES; i++) {
        struct request of = *rq;
        of.db = rq->site->published[i];
        of.schema = schema_newest(of.db->database);
        for (size_t k = 0; of.schema && !found && k < of.schema->table_count; k++)
            found = searchable_table(&of, &of.schema->tables[k]);
        schema_unref(of.schema);
    }
    return found;
}
