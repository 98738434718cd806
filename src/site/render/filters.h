/* SPDX-License-Identifier: Apache-2.0 */
/* filters: the `filters` object of table.html: selections(), lookups(), human_description_en(). */
#ifndef VITRINE_SITE_RENDER_FILTERS_H
#define VITRINE_SITE_RENDER_FILTERS_H

#include "site/table_page.h"

struct value filters_object(struct table_page *p);

#endif
