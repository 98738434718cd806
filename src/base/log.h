/* SPDX-License-Identifier: Apache-2.0 */
/* log: one line an event, text for people or JSON lines for machines. Thread-safe; a line is one write(2).
 * A full or broken log target never stops the process: lines are dropped and counted. */
#ifndef VITRINE_BASE_LOG_H
#define VITRINE_BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field { /* value is s when s.p is set, else i */
    const char *key;
    str s;
    int64_t i;
};
#define LOG_STR(k, v) ((struct log_field){.key = (k), .s = (v)})
#define LOG_I64(k, v) ((struct log_field){.key = (k), .i = (v)})

void log_setup(enum log_level level, enum log_format format,
               int fd); /* fd stays the caller's; default: INFO, TEXT, 2 */
bool log_enabled(enum log_level level);
/* component: "http", "db", ...; message: a literal or short text; fields: `count` pairs. */
void log_fields(enum log_level level, const char *component, str message, const struct log_field *fields, size_t count);
void log_line(enum log_level level, const char *component, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define LOG_WITH(level, component, message, ...)                                                                       \
    log_fields((level), (component), (message), (const struct log_field[]){__VA_ARGS__},                               \
               sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
uint64_t log_dropped(void);                                /* lines lost because the target did not take them */
bool log_level_parse(str s, enum log_level *ret) MUST_USE; /* debug info warn warning error off */

#endif
