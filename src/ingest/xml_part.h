/* SPDX-License-Identifier: Apache-2.0 */
/* xml_part: one XML file inside of a zip, read as a stream by expat. Document types (and with them entities) are
 * refused, names come without their prefix, depth and the length of a tag are bounded. Private to this folder. */
#ifndef VITRINE_INGEST_XML_PART_H
#define VITRINE_INGEST_XML_PART_H

#include "ingest/source.h"

struct xml_part;

/* What the caller does with it; a failure ends the reading. Texts come in pieces. */
struct xml_calls {
    enum status (*start)(void *arg, str name, const char *const *attributes, struct err *err);
    enum status (*end)(void *arg, str name, struct err *err);
    enum status (*text)(void *arg, str text, struct err *err); /* NULL = not wanted */
};

/* `index`: of the zip's directory. INVALID: not the zip's file, damaged. */
enum status xml_part_new(const struct source *zip, uint64_t index, str name, const struct xml_calls *calls, void *arg,
                         struct xml_part **ret, struct err *err) MUST_USE;
void xml_part_free(struct xml_part *x); /* NULL is fine */
/* The next 16 KiB. INVALID (damaged, cut off, a document type), TOO_LARGE (a bomb), or what a call returned. */
enum status xml_part_step(struct xml_part *x, bool *ret_ended, struct err *err) MUST_USE;
uint64_t xml_part_position(const struct xml_part *x); /* in the zip file */
/* All of a part. */
enum status xml_part_read(const struct source *zip, uint64_t index, str name, const struct xml_calls *calls, void *arg,
                          struct err *err) MUST_USE;

/* The value of an attribute by its name without prefix; empty when it is not there. */
str xml_attribute(const char *const *attributes, const char *name);

#endif
