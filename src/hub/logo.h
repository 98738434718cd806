/* SPDX-License-Identifier: Apache-2.0 */
/* logo: the picture of a space, kept in hub.db and given out by the hub's own host, under an address made of its bytes:
 * so it may be kept by browsers for ever, and nothing that somebody sends becomes a page of a space. */
#ifndef VITRINE_HUB_LOGO_H
#define VITRINE_HUB_LOGO_H

#include "hub/request.h"

/* "png", "jpg" or "webp" by the bytes themselves; NULL: none of these. SVG is none: it can hold scripts. Pure. */
const char *logo_kind(str bytes);
/* The file of the form's field "logo": multipart/form-data. INVALID, TOO_LARGE (LIMIT_HUB_LOGO) say what to do. */
enum status logo_read_form(const struct hub_request *rq, str *ret, struct err *err) MUST_USE;
/* The space has this one from now on; empty: none. */
enum status logo_set(struct hub_request *rq, str space_id, str bytes, struct err *err) MUST_USE;
/* The address, whole, of the logo of that name (a space's row has it as "logo"); empty as the name is. Pure. */
str logo_url(const struct hub_config *c, struct arena *a, str name);
/* Inside of a write: the one has the logo and the colours of the other. */
enum status logo_copy(struct conn *c, str from_space, str to_space, struct err *err) MUST_USE;

#endif
