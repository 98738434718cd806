/* SPDX-License-Identifier: Apache-2.0 */
#include "site/space/disk.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rt/thread.h"
#include "site/space/space.h"
#include "test.h"

static void write_bytes(const char *path, size_t n)
{
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    for (size_t i = 0; f && i < n; i++)
        (void)fputc('x', f);
    if (f)
        CHECK(fclose(f) == 0);
}

TEST(space_disk_counts_what_comes)
{
    char folder[] = "/tmp/vitrine-disk-XXXXXX", file[64];
    const struct space sp = {.disk_bytes = 1000};
    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(file, sizeof file, "%s/there", folder);
    write_bytes(file, 100);
    struct space_disk *d = space_disk_new(str_of(folder));
    CHECK(space_disk_left(d, &sp) == 900);
    CHECK(space_disk_take(d, &sp, 500) && space_disk_left(d, &sp) == 400);
    CHECK(!space_disk_take(d, &sp, 401) && !space_disk_hold(d, &sp, 401) && space_disk_left(d, &sp) == 400);
    CHECK(space_disk_hold(d, &sp, 400) && space_disk_left(d, &sp) == 0);
    CHECK(!space_disk_take(d, &sp, 1));
    space_disk_let(d, 400); /* it may lie in the folder now: counted until the next look */
    CHECK(space_disk_left(d, &sp) == 0);
    CHECK(space_disk_take(d, NULL, 5000) && space_disk_take(NULL, &sp, 5000) && space_disk_left(d, NULL) == INT64_MAX);
    space_disk_free(d);
    CHECK(unlink(file) == 0 && rmdir(folder) == 0);
}

struct race {
    struct space_disk *disk;
    const struct space *space;
    atomic_int won;
};

static void bring(void *arg)
{
    struct race *r = arg;
    for (int i = 0; i < 1000; i++)
        if (i % 2 ? space_disk_hold(r->disk, r->space, 7) : space_disk_take(r->disk, r->space, 7))
            atomic_fetch_add(&r->won, 1);
}

/* However many bring something at once, together they fit. */
TEST(space_disk_is_never_passed_together)
{
    char folder[] = "/tmp/vitrine-disk-XXXXXX";
    const struct space sp = {.disk_bytes = 7 * 1500 + 6};
    pthread_t threads[4];
    CHECK(mkdtemp(folder) != NULL);
    struct race r = {.disk = space_disk_new(str_of(folder)), .space = &sp};
    /* The look, once a second, sees an empty folder: what is held counts for ever, what is taken until the next. */
    CHECK(space_disk_hold(r.disk, &sp, 7 * 1000));
    for (size_t i = 0; i < 4; i++)
        CHECK(thread_start("bring", 0, bring, &r, &threads[i], NULL) == STATUS_OK);
    for (size_t i = 0; i < 4; i++)
        thread_join(threads[i]);
    CHECK(space_disk_left(r.disk, &sp) >= 0 && atomic_load(&r.won) >= 500);
    space_disk_free(r.disk);
    CHECK(rmdir(folder) == 0);
}
