/* SPDX-License-Identifier: Apache-2.0 */
/* page: HTML pages. The variables that every template may use, the choice of the template, and the response. */
#ifndef VITRINE_SITE_RENDER_PAGE_H
#define VITRINE_SITE_RENDER_PAGE_H

#include "site/request.h"

/* Renders the first existing of `names` with `vars` (a DICT; page-wide variables are added to it) and answers with it.
 * Sets select_templates and the Link header to the .json form when `alternate` is set. */
enum status page_respond(struct request *rq, int http_status, const str *names, size_t name_count, struct value vars,
                         bool alternate, struct err *err) MUST_USE;
/* show_json.html: the page of /-/versions and friends, or the JSON itself when the format is json. */
enum status page_respond_json_page(struct request *rq, const char *title, const char *filename, struct value data,
                                   struct err *err) MUST_USE;
/* Any error as JSON, HTML or text, whatever fits the request. Cannot fail. */
void page_respond_error(struct request *rq, const struct err *err, const char *title, struct value extra);
/* {"ok": false, "error", "errors", "status"}; from 413 on "hint" too, where there is one */
struct value page_error_json(struct arena *a, const struct err *err, int http_status);
/* Renders template `name` with `vars` and the base variables into `out`. A template that fails is the site's fault, not
 * the visitor's: INTERNAL, the text names file, line and expression. With the setting template_debug and ?_context=1:
 * the variables as JSON instead. */
enum status page_render(struct request *rq, str name, struct value vars, struct buf *out, struct err *err) MUST_USE;
/* Adds the base variables (request, urls, actor ...) to vars. */
void page_base_vars(struct request *rq, struct value vars);
/* Adds Access-Control-* when --cors is on. */
void page_cors(struct request *rq);
/* Cache-Control by ?_ttl and default_cache_ttl, and Referrer-Policy: table, row and stored query pages. */
void page_cache_headers(struct request *rq, bool ok);

#endif
