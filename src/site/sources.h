/* SPDX-License-Identifier: Apache-2.0 */
/* sources: which files the arguments of `serve` mean: paths, patterns, or one configuration directory. Read again each
 * time the site is renewed. Blocks on the disk; no shared state: any thread. */
#ifndef VITRINE_SITE_SOURCES_H
#define VITRINE_SITE_SOURCES_H

#include "site/app.h"

struct sources {
    const str *given; /* as typed */
    const bool *immutable;
    size_t count;
    const struct site_options *base; /* what other options said; they win over what a directory holds */
};

/* Is there a directory or a pattern, so that files may come and go? */
bool sources_may_change(const struct sources *src, struct arena *a);
/* *ret = base with files, configuration, templates and static folders filled in, in `a`. `again`: a pattern that
 * matches nothing any more is no error. NOT_FOUND: no file matches. */
enum status sources_expand(const struct sources *src, bool again, struct arena *a, struct site_options *ret,
                           struct err *err) MUST_USE;
/* Folders whose entries matter, in `a`; those that a wildcard before the last "/" would match are not among them. */
size_t sources_folders(const struct sources *src, struct arena *a, const str **ret);

#endif
