/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in any encoding become UTF-8 (or are given as they are and called ill-formed), in pieces of any size. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/utf8.h"
#include "ingest/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"",       "utf-8",     "utf-8",   "utf-16-le", "utf-16-be",
                                        "cp1252", "mac-roman", "latin-1", "shift_jis"};
    char piece[4096];
    if (size < 2 || size > 1 << 20)
        return 0;
    enum encoding encoding = (enum encoding)(1 + data[0] % 8);
    size_t room = 64 + (size_t)data[1] * 15, n = 1;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data + 2, size - 2) != (ssize_t)(size - 2))
        abort();
    struct source s = {.name = STR("fuzz"), .fd = fd, .size_bytes = size - 2};
    struct decode *d;
    enum encoding found;
    if (decode_new(&s, encoding, names[encoding], &d, NULL) == STATUS_OK) {
        bool ill_formed;
        while (n && decode_read(d, piece, room, &n, &ill_formed, NULL) == STATUS_OK)
            if (n > room || utf8_valid(str_make(piece, n)) == ill_formed)
                abort();
        decode_free(d);
    }
    if (decode_detect(&s, &found, NULL) != STATUS_OK || found == ENCODING_UNKNOWN)
        abort();
    close(fd);
    return 0;
}
