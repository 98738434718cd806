/* SPDX-License-Identifier: Apache-2.0 */
/* fill: a file that waited becomes the first database of a new space. */
#ifndef VITRINE_HUB_FILL_H
#define VITRINE_HUB_FILL_H

#include "hub/request.h"

/* Whether a file of this name can become tables: an ending that imports know. INVALID says which they are. */
enum status fill_name_check(str file_name, struct err *err) MUST_USE;
/* The first 16 bytes, against the name: INVALID when it is called a database and is none, or the other way round. */
enum status fill_head_check(str file_name, str head, struct err *err) MUST_USE;
/* "City museum (2026).csv" -> "City museum (2026)": a title of a space. */
str fill_title(struct arena *a, str file_name);
/* ... -> "city_museum_2026": name of its database, and of its table when it becomes one. */
str fill_database(struct arena *a, str file_name);
bool fill_is_database(str file_name);

/* Into the data folder of a space that does not run yet: a SQLite file as it is, looked through, others by an import;
 * both by `vitrine` as the space's user, in its sandbox. fd: at any place. INVALID with the import's own words. */
enum status fill_space(struct hub *h, struct arena *a, str space_id, int fd, str file_name, struct err *err) MUST_USE;

#endif
