/* SPDX-License-Identifier: Apache-2.0 */
/* page: the templates of the hub's pages and the files they link to. The answers themselves are in request.h. */
#ifndef VITRINE_HUB_PAGE_H
#define VITRINE_HUB_PAGE_H

#include "http/server.h"
#include "template/template.h"

struct template_env *hub_templates_new(void) MUST_USE; /* templates/hub of the program */
struct hub_static; /* the program's files as finished answers, each made when it is first asked for */
struct hub_static *hub_static_new(struct arena *a) MUST_USE;
void hub_static_release(struct hub_static *s); /* NULL is fine */
/* Answers /-/static/...; false: it is another address. Loop's thread. */
bool hub_static(struct hub_static *s, struct http_exchange *x);

#endif
