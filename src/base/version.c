/* SPDX-License-Identifier: Apache-2.0 */
#include "base/version.h"

#include "base/version_build.h" /* generated: VERSION_TEXT, VERSION_COMMIT */

const char *version_text(void)
{
    return VERSION_TEXT;
}

const char *version_commit(void)
{
    return VERSION_COMMIT;
}
