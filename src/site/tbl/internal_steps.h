/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of the internal database, one step a change, in order: X(name, SQL). Steps that ran are remembered by name
 * in vitrine_steps and never run twice. Append only: a step that shipped is never edited, reordered or removed. "if not
 * exists" everywhere in the first steps, because --internal may name a file that Datasette made. */
X(datasette_metadata,
  "create table if not exists metadata_instance (key text, value text, unique(key));"
  "create table if not exists metadata_databases (database_name text, key text, value text,"
  " unique(database_name, key));"
  "create table if not exists metadata_resources (database_name text, resource_name text, key text, value text,"
  " unique(database_name, resource_name, key));"
  "create table if not exists metadata_columns (database_name text, resource_name text, column_name text, key text,"
  " value text, unique(database_name, resource_name, column_name, key));")
X(datasette_column_types,
  "create table if not exists column_types (database_name text not null, resource_name text not null,"
  " column_name text not null, column_type text not null, config text,"
  " primary key (database_name, resource_name, column_name));")
X(datasette_queries,
  "create table if not exists queries (database_name text not null, name text not null, sql text not null, title text,"
  " description text, description_html text, options text not null default '{}',"
  " parameters text not null default '[]', is_write integer not null default 0 check (is_write in (0, 1)),"
  " is_private integer not null default 0 check (is_private in (0, 1)),"
  " is_trusted integer not null default 0 check (is_trusted in (0, 1)), source text not null default 'user',"
  " owner_id text, created_at text not null default current_timestamp,"
  " updated_at text not null default current_timestamp, primary key (database_name, name));"
  "create index if not exists queries_owner_idx on queries(owner_id);")
X(kept_counts,
  "create table if not exists kept_counts (id integer primary key, file text not null, table_name text not null,"
  " identity blob not null, count integer not null, counted_at text not null default current_timestamp,"
  " unique(file, table_name));")
X(uploads,
  "create table if not exists uploads (id text primary key, actor text not null, name text not null,"
  " size integer not null, metadata text not null, expires integer not null, state text not null default 'receiving',"
  " database_name text, table_name text, options text, report text, fault text,"
  " created_at text not null default current_timestamp);"
  "create index if not exists uploads_expires on uploads(expires);")
X(api_log,
  "create table if not exists api_log (id integer primary key autoincrement, at text not null, method text not null,"
  " path text not null, actor text, headers text not null, body text, body_cut integer not null, status integer not "
  "null,"
  " answer_type text, answer text, answer_cut integer not null, duration_ms float not null);"
  "create index if not exists api_log_at on api_log(at);")
X(import_runs,
  "create table if not exists import_runs (database_name text not null, table_name text not null, started integer,"
  " finished integer, next_run integer, failures integer, row_count integer, added integer, changed integer,"
  " removed integer, rejected integer, result text, error text, hint text, etag text, last_modified text,"
  " primary key (database_name, table_name));")
X(sign_on, "create table if not exists sign_on_states (state text primary key, until integer not null) without rowid;")
X(audit,
  "create table if not exists audit (id integer primary key autoincrement, at integer not null, actor text not null,"
  " what text not null, detail text not null);"
  "create index if not exists audit_actor on audit(actor);")
X(shares, "create table if not exists shares (id text primary key, kind text not null, database_name text not null,"
          " name text not null, page text not null, audience text not null, who text not null, maker text not null,"
          " maker_name text not null, made_at integer not null, until integer not null, withdrawn_at integer not null,"
          " password text not null, nonce text not null, token_hash text not null, version integer not null,"
          " sql_digest text not null, used_at integer not null default 0, uses integer not null default 0);")
X(api_tokens,
  "create table if not exists api_tokens (id text primary key, actor_id text not null, name text not null,"
  " restrictions text not null, created integer not null, expires integer, last_used integer, revoked integer,"
  " revoked_by text);"
  "create index if not exists api_tokens_actor on api_tokens(actor_id);")
