/* SPDX-License-Identifier: Apache-2.0 */
/* One row a series or family of /-/metrics: X(ID, kind, name, labels, help). Rows of one name stand together, and their
 * help is that of the first. docs/metrics.md lists the same names (tests/site/test_operations.py compares).
 *
 * COUNTER: metric_add() counts it. SECONDS: the same, in microseconds. SERIES, GAUGE, HISTOGRAM: asked for when the
 * page is made (site/metrics.c); labels names what they are told apart by. */
X(HTTP_REQUESTS, SERIES, "http_requests_total", "method,code,route", "Requests answered")
X(HTTP_DURATION, HISTOGRAM, "http_request_duration_seconds", "route",
  "From the end of a request's head to the end of its answer")
X(HTTP_IN, SERIES, "vitrine_http_received_bytes_total", "", "Bytes read from clients")
X(HTTP_OUT, SERIES, "vitrine_http_sent_bytes_total", "", "Bytes written to clients")
X(HTTP_ACCEPTED, SERIES, "vitrine_http_accepted_total", "", "Connections accepted")
X(HTTP_CONNECTIONS, GAUGE, "vitrine_http_connections", "state", "Connections open, by what they do")
X(HTTP_REFUSED, SERIES, "vitrine_http_refused_total", "",
  "Requests refused before they reached the site: malformed, too large, too slow")
X(HTTP_TIMEOUTS, SERIES, "vitrine_http_timeouts_total", "", "Connections cut because a deadline passed")
X(HTTP_GONE, SERIES, "vitrine_http_client_gone_total", "", "Clients that left before their answer")
X(CACHE_HITS, COUNTER, "vitrine_cache_hits_total", "", "Answers given from the answer cache")
X(CACHE_MISSES, COUNTER, "vitrine_cache_misses_total", "", "Answers that were not in it")
X(CACHE_STALE, COUNTER, "vitrine_cache_stale_total", "", "Answers in it whose data had changed")
X(CACHE_EVICTED, COUNTER, "vitrine_cache_evicted_total", "", "Answers that made room for others")
X(CACHE_ENTRIES, GAUGE, "vitrine_cache_entries", "", "Answers in the cache")
X(CACHE_BYTES, GAUGE, "vitrine_cache_bytes", "", "Memory they take")
X(QUEUE_LENGTH, GAUGE, "vitrine_queue_length", "lane", "Requests waiting for a worker")
X(QUEUE_LIMIT, GAUGE, "vitrine_queue_limit", "lane", "Requests that may wait; more are answered with 503")
X(WORKERS, GAUGE, "vitrine_workers", "lane", "Worker threads")
X(WORKERS_BUSY, GAUGE, "vitrine_workers_busy", "lane", "Worker threads at work")
X(JOBS, SERIES, "vitrine_jobs_total", "lane", "Jobs done by workers")
X(REJECTED, SERIES, "vitrine_rejected_total", "lane", "Requests answered with 503 because the queue was full")
X(OVER_BUDGET, COUNTER, "vitrine_over_budget_total", "",
  "Requests answered with 429: the client's SQL budget was used up")
X(API_LOG_DROPPED, COUNTER, "vitrine_api_log_dropped_total", "", "Requests missing in the API log")
X(SQL_SECONDS, SECONDS, "vitrine_sql_seconds_total", "", "Time in SQL statements")
X(SQL_STATEMENTS, COUNTER, "vitrine_sql_statements_total", "", "SQL statements run")
X(SQL_TIMED_OUT, COUNTER, "vitrine_sql_interrupted_total", "reason=\"time_limit\"",
  "SQL statements stopped before their end")
X(SQL_CANCELLED, COUNTER, "vitrine_sql_interrupted_total", "reason=\"client_gone\"", "")
X(DATABASES, GAUGE, "vitrine_databases", "", "Databases published")
X(RENEWALS, COUNTER, "vitrine_renewals_total", "result=\"renewed\"", "Changes of files or configuration picked up")
X(RENEWALS_REFUSED, COUNTER, "vitrine_renewals_total", "result=\"refused\"", "")
X(LOG_DROPPED, SERIES, "vitrine_log_dropped_total", "", "Log lines lost because their target did not take them")
X(READY, GAUGE, "vitrine_ready", "", "1 while /-/ready answers 200")
X(BUILD, GAUGE, "vitrine_build_info", "version,commit,sqlite", "Always 1; the labels say what runs")
X(PROCESS_CPU, SERIES, "process_cpu_seconds_total", "", "User and system CPU time")
X(PROCESS_FDS, GAUGE, "process_open_fds", "", "Open file descriptors")
X(PROCESS_MAX_FDS, GAUGE, "process_max_fds", "", "Most file descriptors that may be open")
X(PROCESS_VIRTUAL, GAUGE, "process_virtual_memory_bytes", "", "Virtual memory")
X(PROCESS_RESIDENT, GAUGE, "process_resident_memory_bytes", "", "Resident memory")
X(PROCESS_THREADS, GAUGE, "process_threads", "", "Threads")
X(PROCESS_START, GAUGE, "process_start_time_seconds", "", "Start of the process, Unix time")
