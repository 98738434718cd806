/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/limits.h"
#include "prove/frame.h"
#include "prove/pattern.h"
#include "test.h"

TEST(frames_come_back_as_they_were_sent)
{
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};
    for (size_t i = 0; i < ARRAY_LEN(sizes) * 2; i++) {
        bool masked = i % 2 != 0;
        char *bytes = malloc(sizes[i / 2] + 1);
        CHECK(bytes != NULL);
        pattern_fill(i, 0, bytes, sizes[i / 2]);
        struct buf out;
        buf_init(&out, 200000);
        frame_put(&out, FRAME_BINARY, masked, 0x12345678u + (uint32_t)i, str_make(bytes, sizes[i / 2]));
        struct frame f;
        size_t used = 0;
        struct err err = ERR_INIT;
        CHECK_INT(frame_read(out.p, out.n - 1, masked, &f, &used, &err), STATUS_AGAIN);
        CHECK_INT(frame_read(out.p, out.n, masked, &f, &used, &err), STATUS_OK);
        CHECK_INT(used, out.n);
        CHECK_INT(f.opcode, FRAME_BINARY);
        CHECK_STRS(f.payload, str_make(bytes, sizes[i / 2]));
        CHECK_INT(frame_read(out.p, out.n, !masked, &f, &used, &err), STATUS_PROTOCOL);
        buf_release(&out);
        free(bytes);
    }
}

TEST(frames_that_lie_are_refused)
{
    char pieces[] = "\x02\x00", reserved[] = "\xc2\x00", huge[] = "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff";
    struct frame f;
    size_t used;
    CHECK_INT(frame_read(pieces, 2, false, &f, &used, NULL), STATUS_PROTOCOL);
    CHECK_INT(frame_read(reserved, 2, false, &f, &used, NULL), STATUS_PROTOCOL);
    CHECK_INT(frame_read(huge, 10, false, &f, &used, NULL), STATUS_PROTOCOL);
    CHECK_INT(frame_read(huge, 9, false, &f, &used, NULL), STATUS_AGAIN);
    for (uint64_t n = LIMIT_PROVE_FRAME; n <= LIMIT_PROVE_FRAME + 1; n++) { /* a head alone */
        for (int i = 0; i < 8; i++)
            huge[2 + i] = (char)(n >> (56 - 8 * i));
        CHECK_INT(frame_read(huge, 10, false, &f, &used, NULL), n > LIMIT_PROVE_FRAME ? STATUS_PROTOCOL : STATUS_AGAIN);
    }
}

TEST(the_answer_to_a_key_is_that_of_the_rfc)
{
    struct arena *a = arena_new(0);
    CHECK_STR(frame_accept(a, STR("dGhlIHNhbXBsZSBub25jZQ==")), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* section 1.3 */
    arena_free(a);
}

TEST(a_pattern_is_the_same_from_any_offset)
{
    char all[1000], part[1000];
    pattern_fill(42, 0, all, sizeof all);
    for (size_t from = 0; from < 40; from++)
        for (size_t n = 0; n < 40; n++) {
            pattern_fill(42, from, part, n);
            CHECK(memcmp(part, all + from, n) == 0);
            CHECK(pattern_is(42, from, str_make(all + from, n)));
        }
    CHECK(pattern_is(42, 0, str_make(all, sizeof all)));
    CHECK(!pattern_is(43, 0, str_make(all, sizeof all)));
    CHECK(!pattern_is(42, 1, str_make(all, sizeof all)));
    all[999] ^= 1;
    CHECK(!pattern_is(42, 0, str_make(all, sizeof all)));
}
