/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"

#include <unistd.h>

/* One write(2), no locks and no heap: the process may be in any state. */
void assert_failed(const char *expression, const char *file, int line, const char *function)
{
    char text[512];
    int n = snprintf(text, sizeof(text), "vitrine: bug: assertion failed: %s\n  at %s:%d in %s\n", expression, file,
                     line, function);
    size_t size = n < 0 ? 0 : MIN((size_t)n, sizeof(text) - 1);
    if (write(STDERR_FILENO, text, size) < 0)
        abort();
    abort();
}
