/* SPDX-License-Identifier: Apache-2.0 */
/* kept_metadata: titles, descriptions and so on in the tables metadata_* of an internal database that Datasette, or a
 * plugin of it that edits them, has filled. As there, what the metadata file says goes first. */
#ifndef VITRINE_SITE_KEPT_METADATA_H
#define VITRINE_SITE_KEPT_METADATA_H

#include "codec/value.h"
#include "site/internal.h"

/* Adds to `metadata` (DICT, see config.h) what it lacks; copies into `a`. Reads the disk. */
enum status kept_metadata_add(struct internal *in, struct arena *a, struct value metadata, struct err *err) MUST_USE;

#endif
