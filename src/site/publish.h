/* SPDX-License-Identifier: Apache-2.0 */
/* publish: the databases of a generation of the site: opened, or taken over from the one before. */
#ifndef VITRINE_SITE_PUBLISH_H
#define VITRINE_SITE_PUBLISH_H

#include "site/app.h"

/* Fills s->published from the files of `o`. old NULL: the first generation, where a file that cannot be published is a
 * failure; later it is logged and left out. Blocks. */
enum status publish_all(struct site *s, const struct site *old, const struct site_options *o, struct err *err) MUST_USE;
/* What earlier generations published, so that who asks for it is told more than "not found". */
void publish_note_removed(struct site *s, const struct site *old);

#endif
