/* SPDX-License-Identifier: Apache-2.0 */
/* What Python's tarfile reads of our archives is tested in tests/hub/test_take_along.py; here is what no test has the
 * disk for. */
#include "codec/tar.h"
#include "test.h"

TEST(tar_of_a_large_file)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    tar_head(&b, &(struct tar_entry){STR("big.db"), false, 0600, INT64_C(9) << 30, 1});
    CHECK_INT(b.n, 3 * TAR_BLOCK); /* pax header, its record, the file's own header */
    CHECK_INT(b.p[156], 'x');
    CHECK(str_starts(str_from(buf_str(&b), TAR_BLOCK), STR("19 size=9663676416\n")));
    CHECK_INT(b.p[2 * TAR_BLOCK + 156], '0');
    buf_clear(&b);
    tar_head(&b, &(struct tar_entry){STR("small.db"), false, 0600, INT64_C(077777777777), 1});
    CHECK_INT(b.n, TAR_BLOCK);
    CHECK(str_starts(str_from(buf_str(&b), 124), STR("77777777777")));
    buf_release(&b);
}

TEST(tar_records_count_themselves)
{
    static const struct {
        size_t name;
        const char *begins;
    } cases[] = {{101, "111 path="}, {988, "998 path="}, {989, "999 path="}, {990, "1001 path="}};
    char name[1000];
    struct buf b;
    memset(name, 'n', sizeof name);
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&b);
        tar_head(&b, &(struct tar_entry){str_make(name, cases[i].name), false, 0600, 0, 0});
        CHECK(str_starts(str_from(buf_str(&b), TAR_BLOCK), str_of(cases[i].begins)));
        CHECK_INT(b.n % TAR_BLOCK, 0);
    }
    buf_clear(&b);
    tar_pad(&b, 512);
    CHECK_INT(b.n, 0);
    tar_pad(&b, 513);
    CHECK_INT(b.n, 511);
    buf_release(&b);
}
