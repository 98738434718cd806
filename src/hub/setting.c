/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/setting.h"

#include <stdlib.h>

#include "base/fs.h"
#include "base/limits.h"

enum status setting_text(struct arena *a, struct value v, str *ret, struct err *err)
{
    str env = value_get_text(v, STR("$env")), file = value_get_text(v, STR("$file")), text = {0};
    if (value_is_text(v)) {
        text = v.s;
    } else if (env.n) {
        const char *is = getenv(arena_cstr(a, env));
        if (!is || !*is)
            return err_set(err, STATUS_CONFIG, "names a variable that is not set (%.*s)", STR_ARG(env));
        text = str_of(is);
    } else if (file.n) {
        if (fs_read_file(arena_cstr(a, file), LIMIT_HUB_FORM, a, &text, err) != STATUS_OK) {
            err_prefix(err, "names a file that cannot be read");
            return STATUS_CONFIG;
        }
    } else {
        return err_set(err, STATUS_CONFIG, "is no text");
    }
    text = str_trim(text);
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 127)
            return err_set(err, STATUS_CONFIG, "is more than one line of text");
    *ret = arena_str(a, text);
    return STATUS_OK;
}
