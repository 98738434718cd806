/* SPDX-License-Identifier: Apache-2.0 */
/* settings: the typed --setting values. One table (tbl/settings.h) makes the struct, --help-settings and /-/settings.
 */
#ifndef VITRINE_SITE_SETTINGS_H
#define VITRINE_SITE_SETTINGS_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/value.h"

struct settings {
#define SETTING_TYPE_INT                   int64_t
#define SETTING_TYPE_BOOL                  bool
#define SETTING_TYPE_STR                   str
#define SETTING_TYPE_LIST                  str
#define X(type, name, default_value, help) SETTING_TYPE_##type name;
#include "site/tbl/settings.h"
#include "site/tbl/settings_own.h"
#undef X
};

enum setting_type { SETTING_INT, SETTING_BOOL, SETTING_STR, SETTING_LIST };

struct setting_row {
    const char *name;
    enum setting_type type;
    const char *default_text; /* as a user would type it */
    const char *help;
    size_t offset; /* of the field in struct settings */
    bool own;      /* Datasette has no such setting */
};

extern const struct setting_row setting_rows[];
extern const size_t setting_row_count;

void settings_default(struct settings *s);
/* Sets one from text ("on", "50"); text is copied into `a` where it is kept.
 * INVALID: unknown name (with a hint where the list is) or wrong type; the message names the setting. */
enum status settings_set(struct settings *s, struct arena *a, str name, str text, struct err *err) MUST_USE;
/* From a configuration file, where types are strict: 5 and true, not "5" and "on". */
enum status settings_set_value(struct settings *s, struct arena *a, str name, struct value v, struct err *err) MUST_USE;
struct value settings_get(const struct settings *s, const struct setting_row *row);

#endif
