/* SPDX-License-Identifier: Apache-2.0 */
/* accept: content negotiation fields (RFC 9110 section 12.5). Pure; any thread. */
#ifndef VITRINE_HTTP_ACCEPT_H
#define VITRINE_HTTP_ACCEPT_H

#include "base/str.h"

/* Weight 0..1000 that an Accept-Encoding field gives to `coding` ("gzip"); 0 = not acceptable. Absent field (p ==
 * NULL): 0 for anything but identity. */
int accept_encoding_weight(str field, str coding);
/* gzip is acceptable and not less liked than identity. One quick look for the fields that browsers send. */
bool accept_gzip(str field);
/* The type itself is listed with a weight above 0 (ranges with a star do not count). */
bool accept_names_type(str field, str type);

#endif
