/* SPDX-License-Identifier: Apache-2.0 */
/* disk: how much a space has on disk, against the quota that the hub gives it. The folders are looked at once a second
 * at most, and only when somebody wants to write; in between, what comes in by uploads is counted. Writes are refused
 * before the quota is passed; what deletes is not. Any thread but the loop's. */
#ifndef VITRINE_SITE_SPACE_DISK_H
#define VITRINE_SITE_SPACE_DISK_H

#include "base/err.h"

struct request;
struct space;
struct space_disk;

struct space_disk *space_disk_new(str folder) MUST_USE; /* DIR of --space */
void space_disk_free(struct space_disk *d);             /* NULL is fine */
/* Bytes that may still be put there, 0 or less when there are none; INT64_MAX without a quota. */
int64_t space_disk_left(struct space_disk *d, const struct space *sp);
/* The same as it is now, and not as it was a second ago. */
int64_t space_disk_left_now(struct space_disk *d, const struct space *sp);
/* So many bytes are about to be written into the folder: false, and nothing, when there is no room for them. */
bool space_disk_take(struct space_disk *d, const struct space *sp, int64_t bytes);
/* The same of bytes that lie elsewhere until space_disk_let: a file without a name, a body in memory. */
bool space_disk_hold(struct space_disk *d, const struct space *sp, int64_t bytes);
void space_disk_let(struct space_disk *d, int64_t bytes);

/* May this request put more there, going by what it says of its length? TOO_LARGE: it brings more than there is room
 * for; DISK_FULL: there is none. */
enum status space_disk_check(const struct request *rq, struct err *err) MUST_USE;
/* The same for one whose body is in memory: what it brings is held until the request ends. */
enum status space_disk_enter(struct request *rq, struct err *err) MUST_USE;
/* Says that there is no room for so many bytes; use and quota are named. */
enum status space_disk_room(const struct request *rq, int64_t brings, struct err *err);
/* Said when something that runs for long passes the quota. */
enum status space_disk_passed(const struct space *sp, struct err *err);

#endif
