/* SPDX-License-Identifier: Apache-2.0 */
/* assets: the files that the program carries inside: templates, styles, scripts, pictures. Made from web/ at build time
 * by tools/embed.py. Everything here is constant, lives as long as the process and may be used from any thread.
 *
 * Paths: "templates/table.html" for web/templates/table.html, "static/app.css" for web/static/app.css and for what the
 * bundler makes; "ship/remote.sh", "systemd/X.service" for what lies in packaging/. */
#ifndef VITRINE_ASSETS_ASSETS_H
#define VITRINE_ASSETS_ASSETS_H

#include "base/str.h"

struct asset {
    str path;         /* with its first folder, no leading slash */
    const char *mime; /* "text/css; charset=utf-8" */
    const char *etag; /* 64 hex digits: SHA-256 of data; no quotes */
    str data;         /* a NUL follows, so .p is also a C string */
    str gz;           /* gzip of data; p NULL when it would not pay or is not served (templates) */
};

const struct asset *asset_find(str path); /* NULL when there is none; binary search */
size_t asset_count(void);
const struct asset *asset_at(size_t index); /* in byte order of the paths; index < asset_count() */

#endif
