/* SPDX-License-Identifier: Apache-2.0 */
/* One row a block of ?_extra=: X(name, pages that have it, description); extra_block_NAME() of extra_blocks.h makes it.
 * In the order of ?_extra=extras. The descriptions are Datasette's, word for word, under its Apache-2.0 licence: they
 * are part of what ?_extra=extras answers, and programs that were written for it compare them. */
X(count, TABLE, "Total count of rows matching these filters")
X(count_truncated, TABLE,
  "True if the count hit Datasette's counting limit, meaning the real number of matching rows is at least the "
  "reported count.")
X(count_sql, TABLE,
  "SQL query string used to calculate the total count for the current table view, including active filters.")
X(facet_results, TABLE,
  "Results of facets calculated against this data. A dictionary with ``results`` and ``timed_out`` keys: "
  "``results`` maps facet names to facet dictionaries with ``name``, ``type``, ``results`` and URL keys, and "
  "each facet result item includes ``value``, ``label``, ``count`` and ``toggle_url``.")
X(facets_timed_out, TABLE, "List of names of facet calculations that exceeded the facet time limit.")
X(suggested_facets, TABLE,
  "Suggestions for facets that might return interesting results. Each item is a dictionary with ``name`` and "
  "``toggle_url`` keys, and may include extra keys such as ``type`` or ``label`` depending on the facet class.")
X(human_description_en, TABLE, "Human-readable description of the filters")
X(columns, ALL, "List of column names returned by this table, row or query.")
X(all_columns, TABLE, "List of all column names in the table, regardless of ``_col=`` or ``_nocol=`` filtering.")
X(primary_keys, TABLE_ROW,
  "List of primary key column names for this table, or an empty list if the table has no explicit primary key.")
X(column_details, TABLE_ROW,
  "SQLite schema details for columns in this table. The dictionary maps column names to objects describing the "
  "schema for each column.")
X(display_columns, TABLE,
  "Column metadata used by the HTML table display. Each item includes ``name``, ``sortable``, ``is_pk``, "
  "``type``, ``notnull``, ``description``, ``column_type`` and ``column_type_config`` keys.")
X(render_cell, ALL, "Rendered HTML for each cell using the render_cell plugin hook")
X(debug, ALL,
  "Extra debug information dictionary. This is intended for development only and its shape is not part of the "
  "stable template contract.")
X(request, ALL,
  "Dictionary with request details: ``url``, ``path``, ``full_path``, ``host`` and ``args`` where ``args`` "
  "maps query string parameter names to their values.")
X(query, ALL, "Details of the underlying SQL query as a dictionary with ``sql`` and ``params`` keys.")
X(column_types, TABLE_ROW,
  "Column type assignments for this table. A dictionary mapping column names to ``{\"type\": type_name, "
  "\"config\": config}`` dictionaries.")
X(set_column_type_ui, TABLE,
  "Information needed to build an interface for assigning column types, or ``None`` if unavailable. When "
  "present it has ``path`` and ``columns`` keys; ``columns`` maps column names to ``current`` and ``options`` "
  "values.")
X(metadata, ALL,
  "Metadata dictionary for the table, database or stored query. Table and row metadata include a ``columns`` "
  "dictionary mapping column names to descriptions; stored query metadata returns the stored query "
  "configuration.")
X(extras, ALL,
  "List of ``?_extra=`` blocks that can be used on this page. Each item has ``name``, ``description``, "
  "``toggle_url`` and ``selected`` keys.")
X(database, ALL, "Database name")
X(table, TABLE_ROW, "Table name")
X(database_color, ALL, "Color assigned to the database")
X(renderers, TABLE,
  "Dictionary mapping output format names such as ``json`` or plugin-provided renderer names to URLs for this "
  "data in that format.")
X(custom_table_templates, TABLE, "List of custom template names considered for rendering table rows, in lookup order.")
X(sorted_facet_results, TABLE,
  "Facet result dictionaries sorted for display. Each item has the same shape as an entry from "
  "``facet_results['results']``.")
X(table_definition, TABLE, "SQL definition for this table")
X(view_definition, TABLE, "SQL definition for this view")
X(is_view, TABLE, "Whether this resource is a view instead of a table")
X(private, ALL, "Whether this resource is private to the current actor")
X(expandable_columns, TABLE,
  "List of foreign key columns that can be expanded with labels. Each item is a ``(foreign_key, "
  "label_column)`` pair where ``foreign_key`` is the SQLite foreign key dictionary and ``label_column`` is the "
  "label column in the referenced table, or ``None``.")
X(foreign_key_tables, ROW,
  "List of tables that link to this row using foreign keys. Each item includes the foreign key fields plus "
  "``count`` for matching rows and ``link`` for the filtered table URL.")
X(form_hidden_args, TABLE,
  "List of ``(name, value)`` pairs for hidden form fields used by the HTML table interface to preserve current "
  "query string options.")
