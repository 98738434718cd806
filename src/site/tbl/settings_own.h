/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that Datasette does not have: as tbl/settings.h. /-/settings shows them only where they were changed, so
 * that it says what Datasette would. */
X(BOOL, server_timing, 1, "Tell in a Server-Timing header how long SQL and rendering took")
X(INT, client_sql_ms_per_second, 1000, "Milliseconds of SQL a client gets back each second, 0 for no limit")
X(INT, client_sql_burst_ms, 30000, "Milliseconds of SQL a client may use in a row, 0 for no limit")
X(STR, trusted_proxies, "", "Addresses of proxies whose X-Forwarded-For is believed: 127.0.0.1, 10.0.0.0/8, unix")
X(LIST, cors_origins, "", "Origins whose pages may use the API; --cors alone lets all of them")
X(BOOL, crawler_rules, 1, "Ask crawlers to stay away from facets, sorts, searches and exports")
X(INT, max_upload_mb, 4096, "Largest file that may be uploaded or sent to an import, in MB, 0 for no limit")
X(INT, upload_keep_hours, 24, "Hours after which a file that was uploaded and not imported is deleted")
X(STR, json_compat, "1.0", "Shape of JSON answers: 1.0, or 0.65 as the stable release of Datasette has it")
X(INT, history_max_rows, 0, "Most changes kept in the history of a table, 0 for all")
X(INT, history_max_age_days, 0, "Days that changes are kept in histories, 0 for ever")
X(BOOL, api_log, 0, "Record requests that may write, with their answers, for /-/api-log and vitrine replay")
X(INT, api_log_max_rows, 10000, "Most requests kept in the API log, 0 for all")
X(INT, api_log_max_age_days, 30, "Days that requests are kept in the API log, 0 for ever")
X(INT, api_log_max_body_bytes, 65536, "Bytes of a body or answer kept in the API log; the rest is cut off")
