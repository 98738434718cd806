/* SPDX-License-Identifier: Apache-2.0 */
/* theme: a colour that people chose, as shades that can be read. Pure; any thread. */
#ifndef VITRINE_SITE_SPACE_THEME_H
#define VITRINE_SITE_SPACE_THEME_H

#include "base/arena.h"

/* "#rrggbb" -> the shade nearest to it that has a contrast of 4.5 or more (WCAG 2.2, 1.4.3) to all backgrounds of the
 * light or the dark scheme (web/static/app.css), "#rrggbb" in `out`. */
#define THEME_COLOR 8 /* with its NUL */
void theme_shade(str color, bool dark, char out[THEME_COLOR]);
double theme_contrast(str a, str b); /* of two "#rrggbb": 1 to 21 */
/* Rules that set the accent of a page; empty without a colour. */
str theme_css(struct arena *a, str accent);

#endif
