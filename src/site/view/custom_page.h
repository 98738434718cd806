/* SPDX-License-Identifier: Apache-2.0 */
/* custom_page: pages/ of --template-dir. pages/about.html is the page /about, pages/{topic}/{slug}.html any page of two
 * parts. Asked for only when nothing else answers an address. */
#ifndef VITRINE_SITE_VIEW_CUSTOM_PAGE_H
#define VITRINE_SITE_VIEW_CUSTOM_PAGE_H

#include "site/request.h"

/* `why`: the NOT_FOUND that brought us here, kept as *err when there is no page for the address either. */
enum status custom_page_respond(struct request *rq, struct err *why) MUST_USE;
/* Does the path (begins with "/") fit the template name "pages/a/{b}.html"? Then vars gets the variables. */
bool custom_page_match(str pattern, str path, struct value vars);

#endif
