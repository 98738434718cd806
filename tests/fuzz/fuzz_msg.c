/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a message between processes: fields lie inside of it, and what was read is the same when written anew.
 */
#include <stdlib.h>

#include "rt/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct msg m, again;
    if (msg_read(str_make((const char *)data, size), size ? data[size - 1] % 3 : 0, &m, NULL) != STATUS_OK)
        return 0;
    struct buf b;
    buf_init(&b, size + 1024);
    msg_begin(&b, m.type);
    for (unsigned tag = 1; tag < MSG_TAGS; tag++) {
        str f = m.fields[tag];
        if (!f.p)
            continue;
        if (f.n && ((const uint8_t *)f.p < data || (const uint8_t *)f.p + f.n > data + size))
            abort();
        msg_put(&b, (enum msg_tag)tag, f);
    }
    size_t fds = m.type == MSG_CONNECTION ? 1 : 0;
    if (m.type != MSG_UNKNOWN && msg_read(buf_str(&b), fds, &again, NULL) != STATUS_OK)
        abort();
    buf_release(&b);
    return 0;
}
