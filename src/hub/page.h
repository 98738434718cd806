/* SPDX-License-Identifier: Apache-2.0 */
/* page: the templates of the hub's pages and the files they link to. The answers themselves are in request.h. */
#ifndef VITRINE_HUB_PAGE_H
#define VITRINE_HUB_PAGE_H

#include "http/server.h"
#include "template/template.h"

struct template_env *hub_templates_new(void) MUST_USE; /* templates/hub of the program */
/* Answers /-/static/...; false: it is another address. Loop's thread. */
bool hub_static(struct http_exchange *x);

#endif
