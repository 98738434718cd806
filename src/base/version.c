/* SPDX-License-Identifier: Apache-2.0 */
#include "base/version.h"

#include "base/version_build.h" /* generated: VERSION_TEXT, VERSION_COMMIT */

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

const char *version_text(void)
{
    return VERSION_TEXT;
}

const char *version_commit(void)
{
    return VERSION_COMMIT;
}

const char *version_compiler(void)
{
#if defined(__clang__)
    return "clang " TEXT(__clang_major__) "." TEXT(__clang_minor__) "." TEXT(__clang_patchlevel__);
#else
    return "gcc " TEXT(__GNUC__) "." TEXT(__GNUC_MINOR__) "." TEXT(__GNUC_PATCHLEVEL__);
#endif
}
