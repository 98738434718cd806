/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "prove/ledger.h"
#include "test.h"

static size_t count(const struct ledger *l, uint64_t run)
{
    struct buf b;
    struct err err = ERR_INIT;
    buf_init(&b, 100000);
    CHECK_INT(ledger_read(l, run, &b, &err), STATUS_OK);
    size_t n = b.n / 8;
    buf_release(&b);
    return n;
}

TEST(two_instances_write_one_ledger)
{
    char path[] = "/tmp/vitrine-ledger-XXXXXX";
    int fd = mkstemp(path);
    struct ledger a, b;
    struct err err = ERR_INIT;
    CHECK(fd >= 0);
    close(fd);
    CHECK_INT(ledger_open(str_of(path), &a, &err), STATUS_OK);
    CHECK_INT(ledger_open(str_of(path), &b, &err), STATUS_OK);
    for (uint64_t i = 0; i < 2000; i++)
        CHECK_INT(ledger_add(i % 2 ? &a : &b, 1 + i % 3, i, &err), STATUS_OK);
    CHECK_INT(count(&a, 1) + count(&b, 2) + count(&a, 3), 2000);
    CHECK_INT(count(&a, 9), 0);
    struct buf small;
    buf_init(&small, 100);
    CHECK_INT(ledger_read(&a, 1, &small, &err), STATUS_TOO_LARGE);
    buf_release(&small);
    ledger_release(&a);
    ledger_release(&b);
    unlink(path);
}

TEST(a_ledger_without_a_file_is_in_memory)
{
    struct ledger l;
    struct err err = ERR_INIT;
    CHECK_INT(ledger_open((str){0}, &l, &err), STATUS_OK);
    CHECK_INT(ledger_add(&l, 1, 2, &err), STATUS_OK);
    CHECK_INT(count(&l, 1), 1);
    ledger_release(&l);
    CHECK_INT(ledger_open(STR("/no/such/folder/ledger"), &l, &err), STATUS_NOT_FOUND);
}
