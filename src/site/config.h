/* SPDX-License-Identifier: Apache-2.0 */
/* config: what datasette.yaml/json and metadata.yaml/json say, in one shape.
 *
 * Metadata files of both generations may hold configuration; what is configuration is moved over to `config` with a
 * warning, never dropped. Immutable after loading: any thread may read. */
#ifndef VITRINE_SITE_CONFIG_H
#define VITRINE_SITE_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/value.h"
#include "site/settings.h"

struct config {
    struct value root;       /* DICT: settings, databases, plugins, allow, permissions, extra_css_urls ... */
    struct value as_written; /* the same as root, with {"$env": ...} and {"$file": ...} still in place */
    struct value metadata;   /* DICT: title, description, databases.DB.tables.T ... */
    struct settings settings;
};

struct config_sources {
    str config_path;                   /* empty = none; JSON or YAML by content */
    str metadata_path;                 /* empty = none */
    const struct value_entry *options; /* --setting KEY VALUE in order: bare or dotted keys, VALUE_STR */
    size_t option_count;
};

/* All memory from `a`, which must outlive the config. INVALID / NOT_FOUND / IO with file, line and key in the message.
 */
enum status config_load(const struct config_sources *src, struct arena *a, struct config *ret,
                        struct err *err) MUST_USE;
/* From texts (tests, fuzzing). */
enum status config_read(struct arena *a, str text, str origin, struct value *ret, struct err *err) MUST_USE;

/* Dicts, or UNDEFINED when not configured. */
struct value config_database(const struct config *c, str db);
struct value config_table(const struct config *c, str db, str table);
struct value config_queries(const struct config *c, str db);
struct value config_metadata_database(const struct config *c, str db);
struct value config_metadata_table(const struct config *c, str db, str table);
/* Copy of v where values under keys that hold secret, key, password, token, hash or dsn are "***". */
struct value config_redact(struct arena *a, struct value v);
/* Plugin settings: table, then database, then root level; UNDEFINED when none. db and table may be empty. */
/* The plugins whose part is built in: tbl/plugins.h. */
struct plugin_row {
    const char *name, *what;
};
extern const struct plugin_row plugin_rows[];
extern const size_t plugin_row_count;
struct value plugin_entry(struct arena *a, const struct plugin_row *row); /* as Datasette lists it */
/* Does the configuration have a block for it, at any level? */
bool config_names_plugin(const struct config *c, str plugin);
struct value config_plugin(const struct config *c, str plugin, str db, str table);

#endif
