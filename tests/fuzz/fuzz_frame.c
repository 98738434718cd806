/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as WebSocket frames of either side: never more is taken than is there, and what is read is written alike.
 */
#include <stdlib.h>

#include "prove/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int masked = 0; masked < 2; masked++) {
        char *copy = malloc(size + 1);
        if (!copy)
            return 0;
        if (size)
            memcpy(copy, data, size);
        size_t at = 0, used = 0;
        struct frame f;
        while (frame_read(copy + at, size - at, masked != 0, &f, &used, NULL) == STATUS_OK) {
            struct buf out;
            struct frame again;
            size_t used_again;
            if (used > size - at || f.payload.n > used)
                abort();
            buf_init(&out, size + 64);
            frame_put(&out, f.opcode, true, 0x01020304, f.payload);
            if (frame_read(out.p, out.n, true, &again, &used_again, NULL) != STATUS_OK ||
                !str_eq(again.payload, f.payload) || used_again != out.n)
                abort();
            buf_release(&out);
            at += used;
        }
        free(copy);
    }
    return 0;
}
