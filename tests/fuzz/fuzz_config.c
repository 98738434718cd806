/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration file, of both kinds: findings have places within the text and stay within their bound.
 */
#include "base/limits.h"
#include "site/config_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = str_make((const char *)data, size);
    if (str_find(text, STR("$file")) != STR_NPOS)
        return 0; /* files of this machine are none of its business */
    for (int kind = CONFIG_FILE; kind <= METADATA_FILE; kind++) {
        struct config_findings f = {.arena = arena_new(0)};
        config_check_text(&f, STR("x"), text, (enum config_file)kind);
        ASSERT(f.count <= LIMIT_CONFIG_FINDINGS && f.count <= f.errors + f.warnings);
        for (size_t i = 0; i < f.count; i++)
            ASSERT(f.items[i].line <= size + 1 && f.items[i].column <= size + 1 && f.items[i].text.n);
        arena_free(f.arena);
    }
    return 0;
}
