/* SPDX-License-Identifier: Apache-2.0 */
/* One row an action: X(ID, name, abbreviation, level, also requires, allowed by default, least role,
 * description). Those of Datasette first, then ours (ACTION_OWN of permit.h). Levels: GLOBAL, DATABASE, TABLE (tables
 * and views), QUERY. Roles are those of a space's members: VIEWER, EDITOR, OWNER. */
X(VIEW_INSTANCE, "view-instance", "vi", GLOBAL, NONE, true, VIEWER, "View Datasette instance")
X(PERMISSIONS_DEBUG, "permissions-debug", "pd", GLOBAL, NONE, false, OWNER, "Access permission debug tool")
X(DEBUG_MENU, "debug-menu", "dm", GLOBAL, NONE, false, OWNER, "View debug menu items")
X(VIEW_DATABASE, "view-database", "vd", DATABASE, NONE, true, VIEWER, "View database")
X(VIEW_DATABASE_DOWNLOAD, "view-database-download", "vdd", DATABASE, VIEW_DATABASE, true, VIEWER,
  "Download database file")
X(EXECUTE_SQL, "execute-sql", "es", DATABASE, VIEW_DATABASE, true, VIEWER, "Execute read-only SQL queries")
X(EXECUTE_WRITE_SQL, "execute-write-sql", "ews", DATABASE, VIEW_DATABASE, false, EDITOR, "Execute writable SQL queries")
X(CREATE_TABLE, "create-table", "ct", DATABASE, NONE, false, EDITOR, "Create tables")
X(CREATE_VIEW, "create-view", "cv", DATABASE, NONE, false, EDITOR, "Create views")
X(STORE_QUERY, "store-query", "sq", DATABASE, EXECUTE_SQL, false, EDITOR, "Create stored queries")
X(VIEW_TABLE, "view-table", "vt", TABLE, NONE, true, VIEWER, "View table")
X(INSERT_ROW, "insert-row", "ir", TABLE, NONE, false, EDITOR, "Insert rows")
X(DELETE_ROW, "delete-row", "dr", TABLE, NONE, false, EDITOR, "Delete rows")
X(UPDATE_ROW, "update-row", "ur", TABLE, NONE, false, EDITOR, "Update rows")
X(ALTER_TABLE, "alter-table", "at", TABLE, NONE, false, EDITOR, "Alter tables")
X(SET_COLUMN_TYPE, "set-column-type", "sct", TABLE, NONE, false, EDITOR, "Set column type")
X(DROP_TABLE, "drop-table", "dt", TABLE, NONE, false, OWNER, "Drop tables")
X(DROP_VIEW, "drop-view", "dv", TABLE, NONE, false, OWNER, "Drop views")
X(VIEW_QUERY, "view-query", "vq", QUERY, NONE, true, VIEWER, "View named query results")
X(UPDATE_QUERY, "update-query", "uq", QUERY, NONE, false, EDITOR, "Update stored queries")
X(DELETE_QUERY, "delete-query", "dq", QUERY, NONE, false, EDITOR, "Delete stored queries")
X(SHARE, "share", "sh", DATABASE, NONE, false, EDITOR, "Share data with others")
