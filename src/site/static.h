/* SPDX-License-Identifier: Apache-2.0 */
/* static: built-in assets under /-/static/ and the directories of --static, answered on the loop thread. */
#ifndef VITRINE_SITE_STATIC_H
#define VITRINE_SITE_STATIC_H

#include "http/server.h"

struct site;

/* True when the request was for a static file and has been answered. The first does only built-in ones, the last is for
 * workers: it may block. */
bool static_respond_builtin(struct site *s, struct http_exchange *x);
bool static_respond(struct site *s, struct http_exchange *x);
bool static_is_mounted(const struct site *s, const struct http_request *http); /* in a folder of --static */
bool static_respond_blocking(struct site *s, struct http_exchange *x);
/* "MOUNT:DIR" of --static. INVALID / NOT_FOUND with the remedy. */
enum status static_mount_add(struct site *s, str spec, struct err *err) MUST_USE;
void static_init(struct site *s);
void static_release(struct site *s);

#endif
