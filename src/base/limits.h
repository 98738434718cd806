/* SPDX-License-Identifier: Apache-2.0 */
/* limits: every cap of the program, one block a folder. Bytes unless the name says otherwise. Each line says what
 * happens at the cap. Settings that a user may change have their own table (site/tbl/settings.h); these are the walls
 * behind it.
 *
 * Every limit is named in a test (tools/check_limits), but for those whose text begins with "size:": sizes of buffers
 * and batches, where nothing is refused and nothing can be seen from outside. LOWERABLE marks limits that no test could
 * reach as they are, for they are minutes or gigabytes: with fault points compiled in (-Dfaults=true), a test lowers
 * them by VITRINE_LIMITS="JSON_OUTPUT=1000,SEARCH_MS=0" in the environment. */
#ifndef VITRINE_BASE_LIMITS_H
#define VITRINE_BASE_LIMITS_H

#include <stdint.h>

#if defined(VITRINE_FAULTS) && VITRINE_FAULTS
#define LOWERABLE(name, value) ((__typeof__(value))limit_lowered(#name, (int64_t)(value)))
#else
#define LOWERABLE(name, value) value
#endif

/* What a test wants instead, never more than `value`. Ends the process when VITRINE_LIMITS cannot be read. Threads:
 * any. */
int64_t limit_lowered(const char *name, int64_t value);

/* base */
#define LIMIT_ARENA_CHUNK_MIN 16384  /* size: first chunk of an arena; each further one doubles */
#define LIMIT_ARENA_CHUNK_MAX 262144 /* size: ... up to this; larger single allocations get a chunk of their own */
#define LIMIT_BUF_FIRST       256    /* size: first allocation of a buf */
#define LIMIT_LOG_LINE        4096   /* PIPE_BUF: a longer line is cut, so that a line is one atomic write */
#define LIMIT_FS_DEPTH        128    /* folders inside each other that are removed; deeper ones stay: TOO_LARGE */

/* codec */
#define LIMIT_JSON_DEPTH     256    /* objects and lists inside each other, read or written; deeper: INVALID */
#define LIMIT_YAML_DEPTH     100    /* nesting of a YAML text with its aliases put in; deeper: INVALID */
#define LIMIT_YAML_NODES     200000 /* values of a YAML text with its aliases put in; more: TOO_LARGE */
#define LIMIT_VALUE_TEXT     LOWERABLE(VALUE_TEXT, 16777216) /* printed text of one list or dict; the rest is cut off */
#define LIMIT_HTML_DEPTH     128     /* tags inside each other in HTML from outside; deeper ones are text */
#define LIMIT_MARKDOWN       65536   /* one Markdown text; a larger one is shown as it is */
#define LIMIT_SIGN_PAYLOAD   1048576 /* JSON inside a signed text; more: TOO_LARGE, or nothing is signed */
#define LIMIT_TOKEN          4096    /* JSON inside an Ed25519 token; more: TOO_LARGE, or refused */
#define LIMIT_JOSE_KEYS      64      /* keys of one published set; more: TOO_LARGE */
#define LIMIT_JOSE_TEXT      65536   /* bytes of a signed text of others; longer: TOO_LARGE */
#define LIMIT_LETTER         262144  /* bytes of an e-mail; larger: TOO_LARGE */
#define LIMIT_LETTER_ADDRESS 254     /* bytes of an e-mail address (RFC 5321); longer: INVALID */
#define LIMIT_TOKEN_KEY_FILE 65536   /* bytes of a file with a key; larger: TOO_LARGE */
#define LIMIT_CSV_CELLS      2000000 /* cells of one CSV record; more: TOO_LARGE */
#define LIMIT_PASSWORD       1024    /* bytes of a password; longer ones are refused */
/* costs that a configured hash may name; more: refused at start, for each sign-in would pay them */
#define LIMIT_PASSWORD_ROUNDS      10000000 /* of PBKDF2 */
#define LIMIT_PASSWORD_KIB         1048576  /* memory of argon2id */
#define LIMIT_PASSWORD_PASSES      64
#define LIMIT_PASSWORD_LANES       64
#define LIMIT_QR_TEXT              1024  /* bytes of a text drawn as a QR code; more: TOO_LARGE */
#define LIMIT_CBOR_DEPTH           16    /* items inside each other that are passed over; deeper: damaged */
#define LIMIT_COSE_FIELDS          16    /* of a public key; more: damaged */
#define LIMIT_COSE_KEY             1024  /* bytes of a public key; longer: INVALID. RSA of 4096 bits takes 530 */
#define LIMIT_WEBAUTHN_CLIENT_DATA 4096  /* what a browser says of a passkey; longer: INVALID */
#define LIMIT_WEBAUTHN_ATTESTATION 16384 /* what an authenticator says, with certificates; longer: INVALID */

/* template */
#define LIMIT_TEMPLATE_SOURCE LOWERABLE(TEMPLATE_SOURCE, 4194304) /* one template source; larger: TOO_LARGE */
#define LIMIT_TEMPLATE_OUTPUT                                                                                          \
    LOWERABLE(TEMPLATE_OUTPUT, 67108864) /* one rendered page, and any text made on the way; more: TOO_LARGE */
#define LIMIT_TEMPLATE_NESTING 200       /* tags and brackets inside each other; more: INVALID */
#define LIMIT_TEMPLATE_DEPTH   100       /* includes, macros, blocks, imports inside each other; more: TOO_LARGE */
#define LIMIT_TEMPLATE_STEPS   20000000  /* loop rounds and calls of one render (about a second); more: TOO_LARGE */
#define LIMIT_TEMPLATE_MS                                                                                              \
    LOWERABLE(TEMPLATE_MS, 20000) /* one render with the queries of its templates; longer: TIMEOUT */
#define LIMIT_TEMPLATE_ITEMS                                                                                           \
    LOWERABLE(TEMPLATE_ITEMS, 1000000) /* items of one list made by a template; more: TOO_LARGE */

/* rt */
#define LIMIT_LOOP_EVENTS    256   /* size: events taken from epoll in one round; the rest wait for the next */
#define LIMIT_POOL_LANES     12    /* lanes of a worker pool; more: INVALID at start */
#define LIMIT_POOL_THREADS   256   /* threads of one lane; more: INVALID at start */
#define LIMIT_POOL_FLOWS     256   /* size: clients told apart in a lane; more share their turns */
#define LIMIT_POOL_QUEUE     65536 /* jobs waiting in one lane, at most; a full lane answers 503 */
#define LIMIT_FAULTS         16    /* fault points armed at once; more: INVALID */
#define LIMIT_FAULT_SLEEP_MS 60000 /* longest sleep of a fault point */
#define LIMIT_PROC_FDS       32    /* descriptors handed to a child; more: INVALID */
#define LIMIT_NOTIFY_NAMES   4096  /* bytes of the names of sockets that a service manager gives; the rest is cut off */
#define LIMIT_FDPASS_FDS     24    /* descriptors in one message; more: INVALID */
#define LIMIT_FDPASS_BYTES   131072 /* of one message; the kernel takes about 200 KiB */
#define LIMIT_TAKEOVER_UNREAD                                                                                          \
    65536                          /* bytes that go over with a connection; one with more stays until they are used    \
                                    */
#define LIMIT_TAKEOVER_NOTE  256   /* size: bytes that an application adds to a connection that goes over */
#define LIMIT_TAKEOVER_STATE 65536 /* bytes of an application's state that go over; more: INVALID */
#define LIMIT_TAKEOVER_WORD  4096  /* bytes of what a successor says; more: PROTOCOL */
#define LIMIT_TAKEOVER_ARRIVE_MS                                                                                       \
    LOWERABLE(TAKEOVER_ARRIVE_MS, 10000) /* a successor waits so long for the sockets; then TIMEOUT */
#define LIMIT_WATCH_FOLDERS     LOWERABLE(WATCH_FOLDERS, 4096) /* folders watched for change; more: TOO_LARGE */
#define LIMIT_WATCH_DEPTH       16                             /* folder depth watched; deeper ones are not */
#define LIMIT_SANDBOX_STACKS    268435456 /* memory of a sandboxed program beside what it is given: stacks of threads */
#define LIMIT_SANDBOX_TMP_FILES 16384     /* files and folders in its /tmp; more: ENOSPC */
#define LIMIT_SANDBOX_SIGNALS   4096      /* signals that wait; more: EAGAIN */
#define LIMIT_SANDBOX_DEPTH     32        /* folders inside each other that are given to the space's user */

/* net */
#define LIMIT_LISTEN_BACKLOG   1024   /* size: connections waiting for accept */
#define LIMIT_STREAM_IOV       64     /* size: pieces of one gathered write */
#define LIMIT_STREAM_TLS_BURST 262144 /* size: bytes encrypted in one call, so that one client cannot hold the loop */
#define LIMIT_ACCEPT_BATCH     64     /* size: connections accepted in one go; the rest wait for the next round */
#define LIMIT_PROXY_HEADER     2048   /* of the PROXY protocol, before anything else on a connection; longer: closed */
#define LIMIT_GATE_CONNECTIONS 512    /* of all sandboxes through one gate at once; more: closed */
#define LIMIT_GATE_BLOCK       65536  /* size: bytes of a direction on their way */
#define LIMIT_GATE_HELLO_MS                                                                                            \
    LOWERABLE(GATE_HELLO_MS, 10000) /* until a client has said where it wants to go; then closed */
#define LIMIT_GATE_CONNECT_MS LOWERABLE(GATE_CONNECT_MS, 10000) /* to one address; then the next is tried */
#define LIMIT_GATE_IDLE_MS    LOWERABLE(GATE_IDLE_MS, 120000)   /* without a byte in both directions; then closed */
#define LIMIT_TLS_FILE        1048576                           /* a certificate or key file; larger: CONFIG */
#define LIMIT_TLS_NAMES       1000 /* names of one certificate; further ones are not looked at */
#define LIMIT_TLS_NAME        253  /* bytes of a name in a certificate (RFC 1035); longer ones are not looked at */

/* acme */
#define LIMIT_ACME_URL        2048   /* bytes of an address that an authority names; longer: INVALID */
#define LIMIT_ACME_NONCE      512    /* bytes of a nonce; longer: as none */
#define LIMIT_ACME_TOKEN      512    /* bytes of a challenge's token; longer: INVALID */
#define LIMIT_ACME_ANSWER     262144 /* bytes of an authority's answer; more: TOO_LARGE */
#define LIMIT_ACME_ACCOUNT    65536  /* bytes of the account file; more: TOO_LARGE */
#define LIMIT_ACME_TRIES      10     /* times that one request is made: nonces are refused, authorities busy */
#define LIMIT_ACME_REQUEST_MS LOWERABLE(ACME_REQUEST_MS, 30000) /* one request; then TIMEOUT */
#define LIMIT_DNS_KEY_FILE    65536                             /* bytes of a file with a key; more: TOO_LARGE */
#define LIMIT_DNS_ANSWER_MS   LOWERABLE(DNS_ANSWER_MS, 10000)   /* a name server answers by then; else IO */
#define LIMIT_ACME_POLL_MS    300                               /* size: first pause between two looks at an order */

/* http */
#define LIMIT_HTTP_HEAD             65536  /* request line and header fields of one request, at most; more: 431 */
#define LIMIT_HTTP_HEADERS          128    /* header fields of one request, at most; more: 431 */
#define LIMIT_HTTP_METHOD           32     /* bytes of a method; longer: 501 */
#define LIMIT_HTTP_RESPONSE_HEADERS 256    /* header fields of one answer; more are refused (500) */
#define LIMIT_HTTP_RESPONSE_HEAD    65536  /* bytes of an answer's head; more: 500 */
#define LIMIT_HTTP_LISTENERS        16     /* listening sockets of one server; more: INVALID */
#define LIMIT_HTTP_CHUNK_EXTENSION  256    /* bytes of one chunk's size line; more: 400 */
#define LIMIT_HTTP_TRAILERS         8192   /* bytes of all trailer fields; more: 431 */
#define LIMIT_HTTP_READ             16384  /* size: first buffer for what a client sends; grows up to the head limit */
#define LIMIT_HTTP_STREAM_PIECE     262144 /* bytes one pull of a stream may add; more: the answer is cut */
#define LIMIT_HTTP_SINK_PIECE       262144 /* size: bytes of a long body held before they are written */
#define LIMIT_HTTP_SINK_RATE                                                                                           \
    LOWERABLE(HTTP_SINK_RATE, 4096)    /* bytes a second that a long body may come in at; slower: cut off */
#define LIMIT_HTTP_COOKIES        128  /* cookies read from one field; later ones are ignored */
#define LIMIT_HTTP_MULTIPART_HEAD 8192 /* header lines of one part; more: TOO_LARGE */
#define LIMIT_HTTP_REQUEST_ARENA                                                                                       \
    LOWERABLE(HTTP_REQUEST_ARENA, 268435456) /* rows and texts of one answer; more: 413 with the remedy */
#define LIMIT_TRUSTED_PROXIES      64        /* addresses and ranges of trusted_proxies; more: INVALID */
#define LIMIT_FORWARDED_HOPS       32        /* proxies of a chain that are looked at, from its end */
#define LIMIT_REQUEST_ID           128       /* bytes of an X-Request-ID; longer: a new one is made */
#define LIMIT_HTTP_WORK_SPARE      64        /* size: idle request buffers kept for reuse */
#define LIMIT_H2_STREAMS           128       /* requests at once on one HTTP/2 connection; more: refused */
#define LIMIT_H2_WINDOW            65536     /* body of a stream that waits to be read; then its client waits */
#define LIMIT_H2_WINDOW_GROWN      524288    /* ... once a reader has kept up with it */
#define LIMIT_H2_CONNECTION_WINDOW 4194304   /* ... of all streams of a connection together */
#define LIMIT_H2_MEMORY            LOWERABLE(H2_MEMORY, 6291456) /* of one connection, with bodies; more: ended */
#define LIMIT_H2_HEAD_DECODED      262144   /* one head after HPACK; more: ended (above the head limit alone: 431) */
#define LIMIT_H2_CONTINUATIONS     8        /* frames that continue one head; more: ended */
#define LIMIT_H2_SETTINGS          32       /* entries of one SETTINGS frame; more: ended */
#define LIMIT_H2_ACKS              100      /* answers to PING and SETTINGS that wait; more: ended */
#define LIMIT_H2_RESETS            200      /* streams a client may reset or break at once; more: ended */
#define LIMIT_H2_RESETS_RATE       20       /* ... that it gets back each second */
#define LIMIT_H2_CONTROL           1000     /* frames without a request that may come at once; more: ended */
#define LIMIT_H2_CONTROL_RATE      50       /* ... that come back each second */
#define LIMIT_H2_CONTROL_BYTES     512      /* ... and for so many bytes of answers one more */
#define LIMIT_H2_CRAWL             1024     /* bytes a client takes within a write deadline; fewer: reset */
#define LIMIT_STATIC_CACHE         33554432 /* memory for small static files of one directory; then the oldest go */
/* a new file up to this size is hashed and compressed on the loop (under 1 ms) */
#define LIMIT_STATIC_INLINE   16384
#define LIMIT_STATIC_SMALL    262144                        /* a file up to this size is kept in memory */
#define LIMIT_STATIC_FILES    LOWERABLE(STATIC_FILES, 4096) /* files remembered with their ETag; then the oldest go */
#define LIMIT_BLOB_FILE_MIN   16384    /* an answer of this size on is sent from a memory file when asked for again */
#define LIMIT_BLOB_FILES      256      /* memory files at once; then answers are sent from memory */
#define LIMIT_BLOB_FILE_BYTES 67108864 /* bytes of all memory files */
#define LIMIT_GZIP_MIN        860      /* smaller bodies are not compressed: they fit one packet anyway */

/* db */
#define LIMIT_DB_CONNS_PER_THREAD 32        /* idle connections a thread keeps; the least recently used is closed */
#define LIMIT_DB_STMTS_PER_CONN   64        /* prepared statements a connection keeps; likewise */
#define LIMIT_DB_VALUE_BYTES      134217728 /* one text or blob in a query; larger: "string or blob too big" */
#define LIMIT_DB_SQL_BYTES        1000000   /* one statement; larger: TOO_LARGE */
#define LIMIT_DB_SCRIPT_BYTES                                                                                          \
    LOWERABLE(DB_SCRIPT_BYTES, 134217728)      /* one statement of a script that is imported; larger: TOO_LARGE */
#define LIMIT_DB_LIKE_PATTERN_BYTES 4096       /* LIKE and GLOB patterns; larger: SQLite's "pattern too complex" */
#define LIMIT_DB_VM_OPS             5000000    /* instructions of one compiled statement */
#define LIMIT_DB_ATTACHED           10         /* further files on one connection; more: INVALID */
#define LIMIT_DB_PATH_BYTES         65536      /* a file name, %-escaped; longer: INVALID */
#define LIMIT_DB_MMAP_BYTES         1073741824 /* size: of an immutable file; the rest is read through the page cache */
#define LIMIT_DB_SCHEMA_BYTES       LOWERABLE(DB_SCHEMA_BYTES, 268435456) /* one schema snapshot; larger: TOO_LARGE */
#define LIMIT_DB_REGEXP_BYTES       4096                                  /* a regular expression; larger: SQL error */
#define LIMIT_DB_REGEXP_NODES       8192                                  /* ... compiled; larger: SQL error */
#define LIMIT_DB_LEVENSHTEIN        1024 /* characters of one text of levenshtein(); more: SQL error */
#define LIMIT_DB_PROGRESS_OPS       1000 /* size: VM steps between two looks at the deadline */
#define LIMIT_DB_WATCHDOG_TICK_MS   10   /* size: how often deadlines are looked at from outside of SQLite */
#define LIMIT_DB_BUSY_TIMEOUT_MS    1000 /* default wait for another process's lock */
#define LIMIT_DB_WRITE_BUSY_MS                                                                                         \
    LOWERABLE(DB_WRITE_BUSY_MS, 5000) /* the same for writing, and for readers to end; then BUSY */
#define LIMIT_WRITER_QUEUE    4096    /* writes waiting for one database; more: 503 */
#define LIMIT_WRITER_BATCH    256     /* size: writes that share one transaction; the rest make up the next */
#define LIMIT_WRITE_COLUMNS   2000    /* columns of a table (SQLite's own limit); more: INVALID */
#define LIMIT_WRITE_TIME_MS   LOWERABLE(WRITE_TIME_MS, 60000) /* one write; longer: undone, 400 */
#define LIMIT_HISTORY_COLUMNS 900  /* columns of a table with a history, which has two for each; more: INVALID */
#define LIMIT_HISTORY_PRUNE   5000 /* size: old changes deleted at once; the rest a moment later */

/* site */
#define LIMIT_TOKENS_ACTOR     LOWERABLE(TOKENS_ACTOR, 200) /* good API tokens that one may have; more: CONFLICT */
#define LIMIT_TOKENS_LIST      2000  /* size: records of a list of tokens; older ones are not shown */
#define LIMIT_TOKENS_KNOWN     10000 /* size: tokens kept in memory; further ones are looked up each time */
#define LIMIT_TOKEN_NAME       200   /* bytes of what a token is for; longer: INVALID */
#define LIMIT_VISITORS_KEPT    512   /* size: verdicts of another server on cookies that are kept */
#define LIMIT_VISITORS_COOKIE  8192  /* bytes of cookies of another site; longer: anonymous */
#define LIMIT_VISITORS_ANSWER  65536 /* bytes of the other server's verdict; larger: anonymous */
#define LIMIT_VISITORS_ASK_MS  LOWERABLE(VISITORS_ASK_MS, 5000) /* it has so long to answer; then anonymous */
#define LIMIT_AUDIT_ROWS       LOWERABLE(AUDIT_ROWS, 100000)    /* rows of the audit table; then the oldest go */
#define LIMIT_SPACE_DISK_DEPTH 8 /* size: folders inside each other that count against the quota of a space */
#define LIMIT_SPACE_FILE                                                                                               \
    LOWERABLE(SPACE_FILE, 33554432) /* bytes of space.json; larger: refused, the last one stays in force */
#define LIMIT_SPACE_ID         64   /* bytes of the id of a space or user, of a picture's name; longer: refused */
#define LIMIT_SPACE_SESSION_ID 128  /* bytes of the id of a session at the hub; longer: refused */
#define LIMIT_SPACE_KEYS       16   /* keys that a hub signs with; more: refused */
#define LIMIT_SPACE_TICKET_S   120  /* seconds that a ticket may be good for; more: refused */
#define LIMIT_SPACE_SESSION_S                                                                                          \
    LOWERABLE(SPACE_SESSION_S, 43200) /* seconds until the hub is asked again who somebody is */
#define LIMIT_SITE_ARENA 0            /* size: memory of the application itself: configuration, names; no maximum */
#define LIMIT_REQUEST_ARENA                                                                                            \
    LOWERABLE(REQUEST_ARENA, 268435456) /* rows of vitrine query and history, of a page of a stream; more: TOO_LARGE   \
                                         */
#define LIMIT_JSON_OUTPUT LOWERABLE(JSON_OUTPUT, 134217728) /* one JSON answer; more: 413 with the remedy */
#define LIMIT_CSV_PAGE                                                                                                 \
    LOWERABLE(CSV_PAGE,                                                                                                \
              134217728) /* one page of CSV or the like; more: CSV ends with a line that says so, others: 413 */
#define LIMIT_FIGURE_BYTES                                                                                             \
    LOWERABLE(FIGURE_BYTES, 8388608) /* counts, facets, verdicts of one database; more: the oldest are forgotten */
#define LIMIT_SHARES         LOWERABLE(SHARES, 10000) /* shares of a site; more: 400 */
#define LIMIT_SHARE_USES     64    /* size: shares whose uses are counted in memory before they are written */
#define LIMIT_SHARE_MAILS    500   /* requests for mail that wait for the hub; more: none is made */
#define LIMIT_SHARE_PASSES   16    /* links that a browser remembers; more: the oldest are forgotten */
#define LIMIT_SHARE_TEXT     2000  /* bytes of what stands behind the address of a shared page; longer: 400 */
#define LIMIT_SHARE_WHO      254   /* bytes of an e-mail address or id (RFC 5321); longer: 400 */
#define LIMIT_COUNTS_ON_DISK 20000 /* counts of large tables in the internal database; more: the oldest go */
#define LIMIT_FIGURE_QUEUE                                                                                             \
    LOWERABLE(FIGURE_QUEUE, 256) /* figures waiting to be worked out; more: a later page asks again */
#define LIMIT_FIGURE_TIME_MS                                                                                           \
    LOWERABLE(FIGURE_TIME_MS, 30000) /* working one out in the background; longer: it stays unknown */
#define LIMIT_FIGURE_ARENA LOWERABLE(FIGURE_ARENA, 16777216) /* memory of that; more: it stays unknown */
#define LIMIT_PAGE_MARKDOWN                                                                                            \
    LOWERABLE(PAGE_MARKDOWN, 2097152) /* Markdown rendered on one page; later cells show their text as it is */
#define LIMIT_CELL_JSON_ARENA                                                                                          \
    LOWERABLE(CELL_JSON_ARENA, 33554432) /* one cell's JSON set out in lines; larger: shown as it is */
#define LIMIT_SEARCH_MS                                                                                                \
    LOWERABLE(SEARCH_MS, 2000)      /* /-/search in all tables; those it did not reach by then are listed as links */
#define LIMIT_SEARCH_TEXT      4096 /* bytes to search for; more: 400 */
#define LIMIT_SEARCH_DATABASES LOWERABLE(SEARCH_DATABASES, 256) /* databases looked at for the link in the menu */
#define LIMIT_CACHE_BUCKETS    16384                       /* size: hash buckets of the answer cache: a power of two */
#define LIMIT_PAGE_QUEUE       LOWERABLE(PAGE_QUEUE, 4096) /* pages waiting for a worker; more: 503 */
#define LIMIT_SQL_QUEUE        LOWERABLE(SQL_QUEUE, 512)   /* visitors' SQL waiting for a worker; more: 503 */
#define LIMIT_REMOVED_NAMES                                                                                            \
    LOWERABLE(REMOVED_NAMES, 256) /* removed databases whose names are remembered; then the oldest are forgotten */
#define LIMIT_SLOW_PLACES  4096   /* size: numbers that remember what was slow; tables may share one */
#define LIMIT_FLOW_QUEUE   LOWERABLE(FLOW_QUEUE, 64) /* requests of one client waiting for one lane; more: 503 */
#define LIMIT_METRICS_PAGE LOWERABLE(METRICS_PAGE, 16777216) /* text of /-/metrics; more: 500 */
#define LIMIT_UPLOAD_QUEUE                                                                                             \
    LOWERABLE(UPLOAD_QUEUE, 4096)                    /* pieces of uploads waiting to be written; more are tried again */
#define LIMIT_UPLOADS        LOWERABLE(UPLOADS, 100) /* uploads that one actor has at once; more: 429 */
#define LIMIT_FORM_COLUMNS   400                     /* columns in the forms that make and change tables; more: 413 */
#define LIMIT_GREET_AFTER_MS LOWERABLE(GREET_AFTER_MS, 3000) /* of a start; from then on clients are told: 503 */
#define LIMIT_DATABASE_NAME  64 /* bytes of the name of a database made from a page; more: 400 */
#define LIMIT_EVENTS_MS      LOWERABLE(EVENTS_MS, 15000) /* one stream of events; the browser asks again */
#define LIMIT_UPLOAD_NAME    255 /* bytes of the name of an uploaded file; the rest is cut off */
#define LIMIT_IMPORT_QUEUE   LOWERABLE(IMPORT_QUEUE, 256) /* imports waiting for a worker; more: 503 */
#define LIMIT_IMPORT_RECORD                                                                                            \
    LOWERABLE(IMPORT_RECORD, 16777216) /* bytes of one record of /-/import; more: it ends there, 413 */
#define LIMIT_IMPORT_ROWS  500         /* size: records of /-/import that share a transaction */
#define LIMIT_IMPORT_BYTES 1048576     /* size: ... and bytes of them, before the last */
#define LIMIT_UPKEEP_QUEUE                                                                                             \
    LOWERABLE(UPKEEP_QUEUE, 1024) /* things to renew or to free; more are done by whoever asks                         \
                                   */
#define LIMIT_CHECK_AT_START                                                                                           \
    LOWERABLE(CHECK_AT_START, 64) /* with more databases than this, files are checked when they are first asked for */
#define LIMIT_SCHEMA_TIME_MS LOWERABLE(SCHEMA_TIME_MS, 10000) /* reading one schema; longer: the request fails */
#define LIMIT_TEMPLATE_FILES                                                                                           \
    LOWERABLE(TEMPLATE_FILES,                                                                                          \
              20000) /* entries below --template-dir; more: changes and {variables} of some go unnoticed               \
                      */
#define LIMIT_PAGE_MATCH_STEPS 100000 /* work for fitting an address to one template with {variables}; more: no fit */
#define LIMIT_PAGE_SQL_MS      LOWERABLE(PAGE_SQL_MS, 10000)     /* SQL of all sql() calls of one page; more: 500 */
#define LIMIT_PAGE_SQL_ROWS    LOWERABLE(PAGE_SQL_ROWS, 1000000) /* rows of one sql() call; more: 500 */
#define LIMIT_CONFIG_FILE      4194304 /* a configuration or metadata file; larger: TOO_LARGE */
#define LIMIT_CONFIG_FINDINGS  200     /* problems of configuration that are told; more are only counted */
#define LIMIT_CONFIG_LOGGED    20      /* ... and logged at start */
#define LIMIT_TRACE_BODY       262144  /* a larger answer gets no trace; Datasette's limit */
#define LIMIT_TRACE_STATEMENTS                                                                                         \
    LOWERABLE(TRACE_STATEMENTS, 1000)                         /* statements of one trace; later ones are left out      \
                                                               */
#define LIMIT_SECRET_FILE      4096                           /* a file that holds a secret; larger: TOO_LARGE */
#define LIMIT_QUERY_ARGS       4096                           /* pairs in a query string; more: 400 */
#define LIMIT_QUERY_TEXT       LOWERABLE(QUERY_TEXT, 1048576) /* JSON of one parameter of POST /DB.json; more: 413 */
#define LIMIT_QUERY_PARAMETERS 4096 /* :names read out of a visitor's statement; later ones count as missing */
#define LIMIT_SCHEDULE_DAYS    366  /* longest "every" of an import; longer: it cannot run */
#define LIMIT_SCHEDULE_IMPORTS LOWERABLE(SCHEDULE_IMPORTS, 1000) /* imports of one database; more are left out */
#define LIMIT_SCHEDULE_REMOVED 50 /* percent of the rows that an import may remove, unless configured */
#define LIMIT_API_LOG_QUEUE                                                                                            \
    LOWERABLE(API_LOG_QUEUE, 2000) /* requests waiting to be written to the API log; more are dropped and counted */
#define LIMIT_API_LOG_BYTES    LOWERABLE(API_LOG_BYTES, 33554432) /* ... and their bytes; likewise */
#define LIMIT_THROTTLE_BUCKETS 16384 /* names whose attempts are counted; then the emptiest are forgotten */
#define LIMIT_KNOWN_PASSWORDS  256   /* passwords known to be right; then the oldest are hashed again */
#define LIMIT_SIGN_IN_QUEUE    LOWERABLE(SIGN_IN_QUEUE, 64) /* sign-ins waiting to be hashed; more: 503 */
#define LIMIT_SIGN_IN_NEXT     2048 /* bytes of the page to go to after signing in; longer: the home page */

/* migrate */
#define LIMIT_UNDO_ROWS   LOWERABLE(UNDO_ROWS, 2000000) /* rows of a table that an import empties; more: no undo */
#define LIMIT_UNDO_LOG    LOWERABLE(UNDO_LOG, 100)      /* imports that are remembered; older ones are forgotten */
#define LIMIT_SQL_COLUMNS 32768 /* columns of a table that is rebuilt: SQLite allows no more; more: TOO_LARGE */

/* replicate */
#define LIMIT_BACKUP_NAME 200 /* bytes of the name of a backup; longer: INVALID */
#define LIMIT_BACKUP_MANIFEST                                                                                          \
    LOWERABLE(BACKUP_MANIFEST, 16777216) /* bytes of the file that says what a backup holds; more: TOO_LARGE */
#define LIMIT_BACKUP_FILES LOWERABLE(BACKUP_FILES, 20000) /* files of one backup; more: TOO_LARGE */
#define LIMIT_BACKUP_DEPTH 32                             /* folders inside each other in it; more: TOO_LARGE */
#define LIMIT_BACKUP_PATH  2000                           /* bytes of a path in it; longer: TOO_LARGE */

/* ingest */
#define LIMIT_INGEST_BLOCK 1048576 /* size: bytes of text read at once; a longer record makes the block grow */
#define LIMIT_INGEST_RECORD                                                                                            \
    LOWERABLE(INGEST_RECORD, 134217728)   /* bytes of one record; longer: TOO_LARGE names its line */
#define LIMIT_INGEST_COLUMNS       2000   /* columns of a table (SQLite's own limit); more: TOO_LARGE */
#define LIMIT_INGEST_NAME          200    /* bytes of a column or table name made from a file; the rest is cut off */
#define LIMIT_INGEST_SAMPLE        262144 /* size: bytes looked at to find encoding, delimiter and header */
#define LIMIT_INGEST_SAMPLE_ROWS   200    /* size: ... and rows of it */
#define LIMIT_INGEST_GUESS_BLOCKS  4      /* size: blocks at the head of a file that types are guessed from */
#define LIMIT_INGEST_GUESS_WINDOWS 64     /* size: ... and places further on, where the file can be read anywhere */
#define LIMIT_INGEST_GUESS_WINDOW  32768  /* size: ... bytes of each */
#define LIMIT_INGEST_TITLE_LINES   20     /* lines before the header that are taken for titles and notes */
#define LIMIT_INGEST_NOTE_LINES    20     /* lines after the data that are taken for notes */
#define LIMIT_INGEST_OPEN_QUOTES   16     /* unclosed quotes set right in one file; more: INVALID */
#define LIMIT_INGEST_UNPACK_RATIO  1100   /* unpacked bytes a packed one, past the first 64 MiB: deflate's 1032 */
#define LIMIT_INGEST_UNPACK_FREE   LOWERABLE(INGEST_UNPACK_FREE, 67108864) /* unpacked bytes before the ratio counts */
#define LIMIT_INGEST_UNPACKED                                                                                          \
    LOWERABLE(INGEST_UNPACKED, 1099511627776)                         /* unpacked bytes of one file; more: TOO_LARGE */
#define LIMIT_INGEST_ZIP_ENTRIES LOWERABLE(INGEST_ZIP_ENTRIES, 10000) /* files in one zip; more: TOO_LARGE */
#define LIMIT_INGEST_DISTINCT    1000 /* different values counted exactly; more are estimated */
#define LIMIT_INGEST_REJECT_TEXT                                                                                       \
    LOWERABLE(INGEST_REJECT_TEXT, 134217728) /* bytes of a rejected row kept; the rest is cut off, and says so */
#define LIMIT_INGEST_ARENA                                                                                             \
    LOWERABLE(INGEST_ARENA, 67108864)     /* names, options and report of one import; more: TOO_LARGE */
#define LIMIT_INGEST_PREVIEW      1048576 /* bytes of a file looked at before it is imported */
#define LIMIT_INGEST_PREVIEW_ROWS 2000    /* rows of a workbook looked at */
#define LIMIT_INGEST_PREVIEW_CELL 200     /* bytes of a cell shown of them */
#define LIMIT_INGEST_CACHE_KB     16384   /* size: page cache of an import */
#define LIMIT_INGEST_STATEMENT_MS                                                                                      \
    LOWERABLE(INGEST_STATEMENT_MS, 600000) /* one statement of a dump; longer: TIMEOUT                                 \
                                            */
#define LIMIT_INGEST_DUMP_TIMES 16         /* bytes that a dump may make for one of its own (packed: 20 times that) */
#define LIMIT_INGEST_DUMP_FREE  LOWERABLE(INGEST_DUMP_FREE, 67108864) /* ... and besides */
#define LIMIT_INGEST_CHILDREN   100     /* tables made of lists inside of rows; more: TOO_LARGE */
#define LIMIT_INGEST_XML_DEPTH  64      /* tags inside of tags in a workbook; deeper: INVALID */
#define LIMIT_INGEST_XML_TAG    1048576 /* bytes of one tag or comment in a workbook; longer: INVALID */
#define LIMIT_INGEST_XML_RATIO  400     /* unpacked bytes a packed one of a workbook's XML, past the first 64 MiB */
#define LIMIT_INGEST_SHEETS     1000    /* sheets of a workbook; more: TOO_LARGE */
#define LIMIT_INGEST_XLSX_TEXTS                                                                                        \
    LOWERABLE(INGEST_XLSX_TEXTS, 134217728) /* bytes of the texts that a workbook's cells share; more: TOO_LARGE */
#define LIMIT_INGEST_XLSX_CELL   LOWERABLE(INGEST_XLSX_CELL, 16777216) /* bytes of one cell; longer: TOO_LARGE */
#define LIMIT_INGEST_XLSX_STYLES LOWERABLE(INGEST_XLSX_STYLES, 131072) /* formats of a workbook; more: TOO_LARGE */
#define LIMIT_INGEST_TABLE_NAMES 1000 /* names tried to find a free one; then CONFLICT */

/* hub */
#define LIMIT_HUB_ROWS          LOWERABLE(HUB_ROWS, 20000)     /* rows of hub.db in one list; more: 413 */
#define LIMIT_HUB_ADMIN_ROWS    LOWERABLE(HUB_ADMIN_ROWS, 100) /* of each list of the administration; more: next page */
#define LIMIT_HUB_LOG_TAIL      LOWERABLE(HUB_LOG_TAIL, 65536) /* bytes at the end of a log that a page shows */
#define LIMIT_HUB_CONFIG        1048576                        /* hub.yaml; longer: refused */
#define LIMIT_HUB_DNS_ANSWER    65535                          /* size: the longest answer that the DNS has */
#define LIMIT_HUB_LOGO          262144                         /* bytes of the picture of a space; larger: 413 */
#define LIMIT_HUB_FILE_FORM     2097152 /* size: ... and of its form, so that it is this server that says so */
#define LIMIT_HUB_FORM          65536   /* body of a form; longer: 413 */
#define LIMIT_HUB_FIELDS        200     /* fields of a form; more: 413 */
#define LIMIT_HUB_NAME          100     /* bytes of the name of a person, a team; of a title of a space: refused */
#define LIMIT_HUB_SPACE_NAME    40      /* letters of a space's name, which is part of its host: refused */
#define LIMIT_HUB_OLD_NAME_S    LOWERABLE(HUB_OLD_NAME_S, 7776000) /* a name is its space's so long after: refused */
#define LIMIT_HUB_SPACES        50 /* spaces that one person may own unless hub.yaml says otherwise: refused */
#define LIMIT_HUB_SIGN_UPS      LOWERABLE(HUB_SIGN_UPS, 300)    /* new accounts in a row, of everybody together: 429 */
#define LIMIT_HUB_SIGN_UPS_MIN  LOWERABLE(HUB_SIGN_UPS_MIN, 60) /* ... and then so many a minute */
#define LIMIT_HUB_UNVERIFIED_S  LOWERABLE(HUB_UNVERIFIED_S, 604800) /* an account whose address nobody confirmed */
#define LIMIT_HUB_SESSION_S     LOWERABLE(HUB_SESSION_S, 2592000) /* life of a session that is used; then signed out */
#define LIMIT_HUB_SESSIONS      LOWERABLE(HUB_SESSIONS, 100) /* of one account, and browsers known to it: oldest go */
#define LIMIT_HUB_POSTS         LOWERABLE(HUB_POSTS, 5000)   /* forms of one account in a row, then two a second: 429 */
#define LIMIT_HUB_TICKET_S      60                           /* life of a sign-on ticket; then: asked for again */
#define LIMIT_HUB_LINK_S        LOWERABLE(HUB_LINK_S, 86400) /* life of a link in a mail (verify, reset) */
#define LIMIT_HUB_INVITATION_S  LOWERABLE(HUB_INVITATION_S, 604800) /* life of an invitation */
#define LIMIT_HUB_GRACE_S       LOWERABLE(HUB_GRACE_S, 604800)      /* a deleted space comes back so long */
#define LIMIT_HUB_UPKEEP_MS     LOWERABLE(HUB_UPKEEP_MS, 10000)     /* between two rounds of upkeep */
#define LIMIT_HUB_QUEUE         LOWERABLE(HUB_QUEUE, 256)           /* requests waiting for a worker; more: 503 */
#define LIMIT_HUB_SIGN_IN_QUEUE LOWERABLE(HUB_SIGN_IN_QUEUE, 32)    /* passwords waiting to be hashed; more: 503 */
#define LIMIT_HUB_SIGN_IN_FLOW  LOWERABLE(HUB_SIGN_IN_FLOW, 8)      /* ... of one address; more: 503 */
#define LIMIT_HUB_PASSKEYS      20                                  /* of one account; more: refused */
#define LIMIT_HUB_STRONG_S      LOWERABLE(HUB_STRONG_S, 900) /* a password shown is good for dangerous acts so long */
#define LIMIT_HUB_BACKUP_MS     LOWERABLE(HUB_BACKUP_MS, 3600000)     /* backup of one space; longer: it fails */
#define LIMIT_HUB_PROGRAM       LOWERABLE(HUB_PROGRAM, 1073741824)    /* a program for the fleet; larger: refused */
#define LIMIT_HUB_START_BYTES   LOWERABLE(HUB_START_BYTES, 104857600) /* file of a visitor; larger: 413 */
#define LIMIT_HUB_START_FILES   LOWERABLE(HUB_START_FILES, 200)       /* such files waiting at once; more: 503 */
#define LIMIT_HUB_START_TOTAL   LOWERABLE(HUB_START_TOTAL, INT64_C(5368709120)) /* bytes of all of them; more: 503 */
#define LIMIT_HUB_START_S       LOWERABLE(HUB_START_S, 86400)   /* how long one waits; then it is removed */
#define LIMIT_HUB_START_MS      LOWERABLE(HUB_START_MS, 300000) /* its import; longer: refused */
#define LIMIT_HUB_COPIES        LOWERABLE(HUB_COPIES, 2)        /* of a space at once: downloads, clones; more: 429 */
#define LIMIT_HUB_DOMAINS       LOWERABLE(HUB_DOMAINS, 20) /* hosts of its own that a space may have; more: refused */
#define LIMIT_HUB_TEAMS         LOWERABLE(HUB_TEAMS, 100)  /* teams that one person may manage; more: refused */
#define LIMIT_HUB_TEAM_PEOPLE   LOWERABLE(HUB_TEAM_PEOPLE, 1000) /* people of a team; more: refused */
#define LIMIT_HUB_FILES         LOWERABLE(HUB_FILES, 100000) /* files looked at for one page about disk: "more than" */
#define LIMIT_HUB_RESERVE       LOWERABLE(HUB_RESERVE, 16777216) /* free bytes of the disk; fewer: nothing new, 507 */
#define LIMIT_HUB_FLEET_THREADS 16 /* size: spaces that change at the same time, at most */

/* prove */
#define LIMIT_PROVE_HEAD  65536    /* head of an answer, or of a question we ask; longer: a fault */
#define LIMIT_PROVE_FRAME 16777216 /* bytes of a WebSocket message; more: a fault */
#define LIMIT_PROVE_BODY                                                                                               \
    LOWERABLE(PROVE_BODY, 67108864) /* an answer that others are compared with; larger: TOO_LARGE */
#define LIMIT_PROVE_LEDGER                                                                                             \
    LOWERABLE(PROVE_LEDGER, 536870912) /* ids of one run that a backend gives away; more: TOO_LARGE */
#define LIMIT_PROVE_CONNECTIONS 20000  /* of all kinds together; more: USAGE */
#define LIMIT_PROVE_DEPTH       256    /* requests of a pipeline; more: USAGE */
#define LIMIT_PROVE_TICKS                                                                                              \
    LOWERABLE(PROVE_TICKS, 4096)   /* pieces of the time line; then each stands for twice the time */
#define LIMIT_PROVE_CHANGES 100000 /* changes of one run; more: USAGE */

/* fetching URLs */
#define LIMIT_FETCH_URL        8192                                         /* bytes of a URL; longer: INVALID */
#define LIMIT_FETCH_BYTES      LOWERABLE(FETCH_BYTES, INT64_C(68719476736)) /* bytes of one answer; more: TOO_LARGE */
#define LIMIT_FETCH_REDIRECTS  10                                 /* redirects that are followed; more: INVALID */
#define LIMIT_FETCH_MS         LOWERABLE(FETCH_MS, 3600000)       /* everything; longer: TIMEOUT */
#define LIMIT_FETCH_CONNECT_MS LOWERABLE(FETCH_CONNECT_MS, 15000) /* one connection; longer: the next try */
#define LIMIT_FETCH_STALL_MS   LOWERABLE(FETCH_STALL_MS, 30000)   /* without a byte; longer: the next try */
#define LIMIT_FETCH_TRIES      4 /* tries in a row that bring nothing; then the last one's failure */
#define LIMIT_FETCH_TRIES_ALL  LOWERABLE(FETCH_TRIES_ALL, 100) /* all tries of one file; likewise */
#define LIMIT_FETCH_BACKOFF_MS 500   /* size: before the second try; doubled for each further one */
#define LIMIT_ASK_HEADERS      65536 /* bytes of the headers of an answer that is read into memory; more: TOO_LARGE */
#define LIMIT_SEND_ANSWER      LOWERABLE(SEND_ANSWER, 16777216) /* bytes of an answer that are looked at */
#define LIMIT_FETCH_WAIT_MS    LOWERABLE(FETCH_WAIT_MS, 30000)  /* the longest wait, whatever the server asks for */

/* edge */
#define LIMIT_EDGE_LOOPS        64    /* loop threads; more: INVALID at start */
#define LIMIT_EDGE_NAME         63    /* bytes of an app's name; longer: INVALID */
#define LIMIT_EDGE_HOST         253   /* bytes of a route's host (RFC 1035); longer: INVALID */
#define LIMIT_EDGE_PATH         1024  /* bytes of a route's path; longer: INVALID */
#define LIMIT_EDGE_READ         16384 /* size: first buffer for what comes from either side; grows up to the next one */
#define LIMIT_EDGE_BLOCK        65536 /* buffer of one direction, and the largest head */
#define LIMIT_EDGE_HEAD         73728 /* size: a head with what the edge adds to it */
#define LIMIT_EDGE_WRITE_MS     LOWERABLE(EDGE_WRITE_MS, 30000) /* a client takes nothing of an answer; then cut */
#define LIMIT_EDGE_TRIES        4                               /* instances one request is offered to; then 502 */
#define LIMIT_EDGE_REPLAYS      100                             /* times that apps may let go of one upload; then 503 */
#define LIMIT_EDGE_SPOOL        INT64_C(4294967296) /* size: disk for uploads that are kept, unless --spool-max */
#define LIMIT_EDGE_SPARE        256                 /* size: buffers a loop keeps for the next requests */
#define LIMIT_EDGE_HOLD_BYTES   LOWERABLE(EDGE_HOLD_BYTES, 67108864) /* of requests one loop holds; more: 503 */
#define LIMIT_EDGE_ACCESS_BATCH 262144 /* size: access lines of one round; more are written in between */
#define LIMIT_EDGE_APPS         LOWERABLE(EDGE_APPS, 10000)      /* apps; more: TOO_LARGE */
#define LIMIT_EDGE_HOSTS        64                               /* hosts of one app; more: INVALID */
#define LIMIT_EDGE_ENV          256                              /* variables of one app; more: INVALID */
#define LIMIT_EDGE_REPLICAS     64                               /* instances of one app; more: INVALID */
#define LIMIT_EDGE_RUN          8192                             /* bytes of a command line; longer: INVALID */
#define LIMIT_EDGE_VERSIONS     5                                /* versions of an app kept to go back to */
#define LIMIT_EDGE_STATE        LOWERABLE(EDGE_STATE, 67108864)  /* bytes of the state file; larger: TOO_LARGE */
#define LIMIT_EDGE_CONTROL      LOWERABLE(EDGE_CONTROL, 1048576) /* bytes of one control request; more: 413 */
#define LIMIT_EDGE_JOB_LINES    LOWERABLE(EDGE_JOB_LINES, 1000)  /* lines of a job's progress; later ones are dropped */
#define LIMIT_EDGE_JOBS                                                                                                \
    LOWERABLE(EDGE_JOBS, 64) /* jobs that are over and still known; then the oldest are forgotten                      \
                              */
#define LIMIT_EDGE_HANDSHAKES                                                                                          \
    LOWERABLE(EDGE_HANDSHAKES, 1000) /* that wait for a certificate in one loop; more: refused */
#define LIMIT_EDGE_HANDSHAKE_MS                                                                                        \
    LOWERABLE(EDGE_HANDSHAKE_MS, 60000)                 /* a handshake waits so long for its certificate; then closed */
#define LIMIT_CERTS             LOWERABLE(CERTS, 10000) /* names with certificates; further ones get none */
#define LIMIT_CERT_NOTE         65536                   /* size: what is noted of one certificate */
#define LIMIT_CERT_CHILDREN     4                       /* size: certificates that are obtained at the same time */
#define LIMIT_CERT_CHALLENGES   64                      /* size: that authorities look at now; more: BUSY */
#define LIMIT_CERT_LOOKS        100                     /* size: certificates that are asked about in one go */
#define LIMIT_CERT_CHILD_MS     LOWERABLE(CERT_CHILD_MS, 900000)  /* one try; then it is killed, and counts as failed */
#define LIMIT_CERT_OBTAIN_MS    LOWERABLE(CERT_OBTAIN_MS, 300000) /* all requests for one certificate; then TIMEOUT */
#define LIMIT_CERT_HOOK_MS      LOWERABLE(CERT_HOOK_MS, 120000)   /* a hook for the DNS; then it is killed: TIMEOUT */
#define LIMIT_CERT_ASK_MS       LOWERABLE(CERT_ASK_MS, 10000)     /* the answer to "is it one of ours?"; then TIMEOUT */
#define LIMIT_CERT_NAMES_PER_S  2 /* names that visitors bring up, after a first burst of ten seconds */
#define LIMIT_CERT_GROUP_ORDERS LOWERABLE(CERT_GROUP_ORDERS, 20) /* of them under one registered domain in an hour */
#define LIMIT_CERT_ORDERS       LOWERABLE(CERT_ORDERS, 300)      /* of them in an hour */
#define LIMIT_EDGE_LOG_FILE                                                                                            \
    LOWERABLE(EDGE_LOG_FILE, 16777216) /* an app's log is put aside (APP.log.1) when it is larger */

/* hub */
#define LIMIT_MAIL_WORD      100 /* bytes of a name or title inside of an e-mail; the rest is cut off */
#define LIMIT_MAIL_PER_HOUR  20  /* e-mails to one address in an hour; more: RATE */
#define LIMIT_MAIL_NOTICES   5 /* of those about the same thing that happened to an account; more: a line in the log */
#define LIMIT_MAIL_WAITING   LOWERABLE(MAIL_WAITING, 10000) /* e-mails that wait to be sent; more: BUSY */
#define LIMIT_MAIL_MS        LOWERABLE(MAIL_MS, 60000)      /* handing one over; longer: tried again later */
#define LIMIT_MAIL_AGE_S     LOWERABLE(MAIL_AGE_S, 259200)  /* an e-mail that could not be sent is given up */
#define LIMIT_OUTBOX_FILE    8192 /* bytes of what a space asks for in one file; larger: refused */
#define LIMIT_OUTBOX_URL     2048 /* bytes of a link in it; longer: refused */
#define LIMIT_OUTBOX_BURST   50   /* mails of one space in a row; later ones wait, a minute each */
#define LIMIT_OUTBOX_ROUND   100  /* files of one space looked at in a row; then the others' turn */
#define LIMIT_IDENTITY_TRY_S LOWERABLE(IDENTITY_TRY_S, 600) /* life of a try to sign in by others; then begun again */
#define LIMIT_IDENTITY_AGE_S LOWERABLE(IDENTITY_AGE_S, 604800) /* a sign-in by others: session, groups; then anew */
#define LIMIT_IDENTITIES     20     /* issuers that one account is linked to; more: TOO_LARGE */
#define LIMIT_GROUP_RULES    500    /* rules of the map of one issuer; more: CONFIG */
#define LIMIT_OIDC_URL       2048   /* bytes of an address that an issuer gives; longer: INVALID */
#define LIMIT_OIDC_GROUPS    1000   /* groups of one person that are looked at; more are left out */
#define LIMIT_OIDC_DOCUMENT  262144 /* bytes of anything an issuer or GitHub answers; more: TOO_LARGE */
#define LIMIT_OIDC_MS        LOWERABLE(OIDC_MS, 10000)    /* one question to an issuer; longer: TIMEOUT */
#define LIMIT_OIDC_KEEP_S    LOWERABLE(OIDC_KEEP_S, 3600) /* what an issuer says of itself is kept; then asked again */
#define LIMIT_OIDC_KEYS_S    LOWERABLE(OIDC_KEYS_S, 30)   /* between two tries to find a new key; sooner: refused */

/* cli */
#define LIMIT_UPGRADE_STATUS 16384 /* bytes of the file that tells who serves; larger: TOO_LARGE */
#define LIMIT_UPGRADE_ARGUMENTS                                                                                        \
    LOWERABLE(UPGRADE_ARGUMENTS, 4194304) /* bytes of a command line that is run again; longer: TOO_LARGE */
#define LIMIT_REPLAY_FILE LOWERABLE(REPLAY_FILE, 1073741824) /* a file of recorded requests; larger: TOO_LARGE */
#define LIMIT_POST_BODY   1048576                            /* size: bytes of items of one request, before the last */
#define LIMIT_POST_LOG    LOWERABLE(POST_LOG, 536870912)     /* a log that is gone on with; larger: TOO_LARGE */
#define LIMIT_HEALTH_PATH 1024 /* bytes of the path that healthcheck asks for; longer: USAGE */

#endif
