/* SPDX-License-Identifier: Apache-2.0 */
/* view: one function an endpoint, named in the table of routes. Each runs on a worker, fills rq->response and returns
 * OK, or an error that site_handle() turns into the error page of the wanted format. */
#ifndef VITRINE_SITE_VIEW_VIEW_H
#define VITRINE_SITE_VIEW_VIEW_H

#include "base/err.h"
#include "base/str.h"

struct request;

/* clang-format off */
#define VIEWS(V)                                                                                                       \
    V(index)                                                                                                           \
    V(redirect_internals)                                                                                              \
    V(favicon)                                                                                                         \
    V(robots) V(versions) V(plugins) V(settings) V(config) V(databases) V(actor) V(actions) V(threads) V(health)       \
        V(ready) V(metrics) V(search) V(metadata) V(sitemap)                                                           \
        V(jump) V(instance_schema) V(auth_token) V(logout) V(allow_debug) V(check) V(allowed) V(rules) V(permissions)  \
            V(messages) V(create_token) V(instance_queries) V(patterns) V(api) V(debug_autocomplete) V(download)       \
                V(database) V(query_parameters) V(query) V(database_queries) V(database_schema) V(table_schema)        \
                    V(autocomplete) V(query_definition) V(foreign_key_targets) V(fragment) V(table) V(row)             \
                        V(login) V(password_tool)                                                                      \
    V(sign_on) V(tokens)                                                                                               \
    V(import) V(upload) V(upload_one) V(import_file) V(import_events)                                                  \
    V(insert) V(upsert) V(row_update) V(row_delete) V(drop) V(create) V(set_column_type) V(alter)                      \
    V(execute_write) V(execute_write_analyze) V(query_store) V(query_analyze) V(query_update) V(query_edit)            \
    V(history) V(row_history) V(row_revert) V(api_log) V(imports)                                                      \
    V(share) V(shares) V(share_one) V(share_preview) V(share_link)                                                     \
    V(query_delete) V(foreign_key_suggestions) V(insert_row) V(edit_row) V(delete_row) V(create_table)  \
    V(alter_table) V(drop_table) V(create_database)
/* clang-format on */
#define VIEW_DECLARE(name) enum status view_##name(struct request *rq, struct err *err);
VIEWS(VIEW_DECLARE)
VIEW_DECLARE(sql_post)     /* of view_database, for POST */
VIEW_DECLARE(stored_query) /* of view_table, for names that are no table */

/* The whole address of the sitemap; empty when none is configured. */
str sitemap_address(struct request *rq);

#endif
