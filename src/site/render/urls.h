/* SPDX-License-Identifier: Apache-2.0 */
/* urls: the `urls` object and the functions of every template (urls.table(...), static(...), crumb_items(...) ...). */
#ifndef VITRINE_SITE_RENDER_URLS_H
#define VITRINE_SITE_RENDER_URLS_H

#include "codec/value.h"

struct request;

/* Adds urls, request, static, crumb_items, menu_links, display_actor, zip, format_bytes, show_messages, csrftoken,
 * append_querystring, path_with_replaced_args, fix_path to vars. */
void urls_add(struct request *rq, struct value vars);

#endif
