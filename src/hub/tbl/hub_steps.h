/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of hub.db, one step a change, in order: X(name, SQL). Steps that ran are remembered by name in hub_steps
 * and never run twice. Append only: a step that shipped is never edited, reordered or removed. Times are Unix seconds;
 * 0 = not yet, or never. Secrets that we give out are kept as SHA-256. */
X(accounts,
  "create table users (id text primary key, email text not null unique collate nocase, name text not null,"
  " password text not null default '', verified_at integer not null default 0, created_at integer not null,"
  " seen_at integer not null default 0, is_admin integer not null default 0, disabled_at integer not null default 0,"
  " deletes_at integer not null default 0);"
  "create table sessions (id text primary key, hash text not null unique, user_id text not null references users(id)"
  " on delete cascade, created_at integer not null, seen_at integer not null, ends_at integer not null,"
  " strong_at integer not null default 0, agent text not null default '', address text not null default '');"
  "create index sessions_user on sessions(user_id);"
  "create table session_spaces (session_id text not null references sessions(id) on delete cascade,"
  " space_id text not null, primary key (session_id, space_id)) without rowid;"
  "create table revoked (space_id text not null, session_id text not null, until integer not null,"
  " primary key (space_id, session_id)) without rowid;"
  "create table links (hash text primary key, kind text not null, user_id text references users(id) on delete cascade,"
  " email text not null default '', data text not null default '{}', created_at integer not null,"
  " ends_at integer not null, used_at integer not null default 0) without rowid;"
  "create index links_user on links(user_id);")
X(spaces,
  "create table spaces (id text primary key, name text not null unique collate nocase, title text not null,"
  " state text not null default 'making' check (state in ('making', 'live', 'suspended', 'deleted')),"
  " visibility text not null default 'private' check (visibility in ('private', 'public')),"
  " theme text not null default '{}', quota text not null default '{}', created_at integer not null,"
  " deletes_at integer not null default 0, suspended_for text not null default '',"
  " version text not null default '', pinned integer not null default 0,"
  " changed integer not null default 1, told integer not null default 0);"
  "create table members (space_id text not null references spaces(id) on delete cascade,"
  " user_id text not null references users(id) on delete cascade,"
  " role text not null check (role in ('owner', 'editor', 'viewer')), added_at integer not null,"
  " primary key (space_id, user_id)) without rowid;"
  "create index members_user on members(user_id);"
  "create table teams (id text primary key, name text not null, created_at integer not null);"
  "create table team_people (team_id text not null references teams(id) on delete cascade,"
  " user_id text not null references users(id) on delete cascade, is_manager integer not null default 0,"
  " primary key (team_id, user_id)) without rowid;"
  "create table team_spaces (team_id text not null references teams(id) on delete cascade,"
  " space_id text not null references spaces(id) on delete cascade,"
  " role text not null check (role in ('owner', 'editor', 'viewer')), primary key (team_id, space_id)) without rowid;"
  "create table invitations (id text primary key, hash text not null unique, space_id text not null"
  " references spaces(id) on delete cascade, email text not null collate nocase, role text not null"
  " check (role in ('owner', 'editor', 'viewer')), by_user text not null, created_at integer not null,"
  " ends_at integer not null, used_at integer not null default 0);"
  "create index invitations_space on invitations(space_id);"
  "create table domains (host text primary key collate nocase, space_id text not null references spaces(id)"
  " on delete cascade, added_at integer not null) without rowid;")
X(audit, "create table audit (id integer primary key, at integer not null, user_id text not null default '',"
         " action text not null, space_id text not null default '', object text not null default '',"
         " detail text not null default '{}', address text not null default '');"
         "create index audit_user on audit(user_id, id);"
         "create index audit_space on audit(space_id, id);")
X(mails, "create table mails (id integer primary key, recipient text not null, kind text not null,"
         " vars text not null default '{}', created_at integer not null, next_at integer not null default 0,"
         " tries integer not null default 0, failed text not null default '');"
         "create index mails_next on mails(next_at);")
X(factors,
  "create table totp (user_id text primary key references users(id) on delete cascade, secret blob, since integer,"
  " used_step integer not null default -1, waiting blob, waiting_since integer) without rowid;"
  "create table recovery_codes (user_id text not null references users(id) on delete cascade, digest text not null,"
  " made_at integer not null, used_at integer not null default 0, primary key (user_id, digest)) without rowid;"
  "create table passkeys (id blob primary key, user_id text not null references users(id) on delete cascade,"
  " name text not null, key blob not null, counter integer not null, aaguid blob not null,"
  " backed_up integer not null, made_at integer not null, used_at integer not null default 0,"
  " suspect_at integer not null default 0) without rowid;"
  "create index passkeys_user on passkeys(user_id);"
  "create table used_challenges (nonce blob primary key, until integer not null) without rowid;"
  "create table devices (user_id text not null references users(id) on delete cascade, hash text not null,"
  " seen_at integer not null, primary key (user_id, hash)) without rowid;")
X(mails_sent, "alter table mails add column sent_at integer not null default 0;"
              "create index mails_recipient on mails(recipient, created_at);")
X(identities,
  "create table identities (id integer primary key, user text not null references users (id) on delete cascade,"
  " provider text not null, issuer text not null, subject text not null, who text not null,"
  " created_at integer not null, used_at integer not null,"
  " made_admin integer not null default 0, unique (issuer, subject));"
  "create index identities_user on identities (user);"
  "create table used_tries (state text primary key, until_s integer not null) without rowid;")
X(backups, "create table backups (space_id text primary key, at integer not null, failed text not null default '',"
           " bytes integer not null default 0, well_at integer not null default 0) without rowid;")
X(fleet,
  "create table fleet_runs (id integer primary key, began_at integer not null, ended_at integer not null default 0,"
  " version text not null, state text not null, why text not null default '');"
  "create table fleet_steps (run_id integer not null, space_id text not null, before text not null,"
  " primary key (run_id, space_id));")
X(waiting,
  "create table waiting (hash text primary key, name text not null, bytes integer not null, at integer not null,"
  " user_id text not null default '') without rowid;"
  "create index waiting_user on waiting(user_id);")
X(groups,
  "create table space_grants (identity_id integer not null references identities(id) on delete cascade,"
  " user_id text not null references users(id) on delete cascade,"
  " space_id text not null references spaces(id) on delete cascade,"
  " role text not null check (role in ('owner', 'editor', 'viewer')), primary key (identity_id, space_id))"
  " without rowid;"
  "create index space_grants_user on space_grants(user_id);"
  "create index space_grants_space on space_grants(space_id);"
  "create table team_grants (identity_id integer not null references identities(id) on delete cascade,"
  " team_id text not null references teams(id) on delete cascade, primary key (identity_id, team_id)) without rowid;"
  "create index team_grants_team on team_grants(team_id);"
  "alter table team_people add column by_hand integer not null default 1;")
/* Files of before could be read by everybody: all are written anew. */
X(space_json_closed, "update spaces set told = 0;")
X(fleet_done, "alter table fleet_steps add column done integer not null default 0;"
              "update fleet_steps set done = 1;")
X(quotas, /* what stood there was hub.yaml's of the day the space was made; from here on only what was set for it */
  "update spaces set quota = '{}';"
  "create table facts (name text primary key, value text not null) without rowid;")
X(seals, "create table seals (key text not null, since integer not null);")
X(logos, "create table logos (space_id text primary key references spaces(id) on delete cascade, name text not null,"
         " bytes blob not null);"
         "create index logos_name on logos(name);")
/* owners: ids of users, who may have the name again. */
X(old_names, "create table old_names (name text primary key collate nocase, space_id text not null,"
             " owners text not null, until_s integer not null) without rowid;")
/* by_identity: the id of the identity that somebody signed in by; 0 = none. */
X(session_identity, "alter table sessions add column by_identity integer not null default 0;")
