/* SPDX-License-Identifier: Apache-2.0 */
/* templates: the engine with its loader (--template-dir, then the built-in ones; "default:NAME" = built in) and
 * filters. */
#ifndef VITRINE_SITE_RENDER_TEMPLATES_H
#define VITRINE_SITE_RENDER_TEMPLATES_H

#include "base/err.h"

struct site;

/* Sets s->template_files and s->templates. dir empty = only built-in ones. */
enum status templates_new(struct site *s, str dir, struct err *err) MUST_USE;

#endif
