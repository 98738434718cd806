/* SPDX-License-Identifier: Apache-2.0 */
/* request_value: the `request` object of templates: path, args, headers, cookies and so on. What differs between
 * clients that share an answer (headers, cookies) keeps the answer out of the cache once it was asked for. */
#ifndef VITRINE_SITE_RENDER_REQUEST_VALUE_H
#define VITRINE_SITE_RENDER_REQUEST_VALUE_H

#include "codec/value.h"

struct request;

struct value request_value(struct request *rq);
/* args, path and q (the argument of that name, if there is one), which many sites have a plugin for; unless the page
 * has such. */
void request_shortcuts(struct request *rq, struct value vars);

#endif
