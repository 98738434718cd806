/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/frame.h"

#include "base/limits.h"
#include "codec/b64.h"
#include "codec/digest.h"

void frame_put(struct buf *out, enum frame_opcode opcode, bool masked, uint32_t key, str payload)
{
    unsigned char mask[4];
    unsigned bit = masked ? 0x80 : 0;
    for (int i = 0; i < 4; i++)
        mask[i] = (unsigned char)(key >> (8 * i));
    buf_putc(out, (char)(0x80u | (unsigned)opcode));
    if (payload.n < 126) {
        buf_putc(out, (char)(bit | (unsigned)payload.n));
    } else {
        int bytes = payload.n < 65536 ? 2 : 8;
        buf_putc(out, (char)(bit | (bytes == 2 ? 126u : 127u)));
        for (int i = bytes - 1; i >= 0; i--)
            buf_putc(out, (char)((uint64_t)payload.n >> (8 * i)));
    }
    if (masked)
        buf_put(out, mask, sizeof mask);
    for (size_t i = 0; i < payload.n; i++)
        buf_putc(out, masked ? (char)((unsigned char)payload.p[i] ^ mask[i % 4]) : payload.p[i]);
}

enum status frame_read(char *in, size_t n, bool masked, struct frame *ret, size_t *ret_used, struct err *err)
{
    const unsigned char *p = (const unsigned char *)in;
    if (n < 2)
        return STATUS_AGAIN;
    if ((p[0] & 0xf0) != 0x80)
        return err_set(err, STATUS_PROTOCOL, "a WebSocket message in pieces, or with reserved bits");
    if (((p[1] & 0x80) != 0) != masked)
        return err_set(err, STATUS_PROTOCOL, "a WebSocket frame that is%s masked", masked ? " not" : "");
    uint64_t length = p[1] & 0x7f;
    size_t at = 2, extra = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (n < at + extra + (masked ? 4 : 0))
        return STATUS_AGAIN;
    if (extra)
        length = 0;
    for (size_t i = 0; i < extra; i++)
        length = length << 8 | p[at++];
    if (length > LIMIT_PROVE_FRAME)
        return err_set(err, STATUS_PROTOCOL, "a WebSocket message of more than %d bytes", LIMIT_PROVE_FRAME);
    const unsigned char *mask = p + at;
    at += masked ? 4 : 0;
    if (n - at < length)
        return STATUS_AGAIN;
    for (size_t i = 0; masked && i < length; i++)
        in[at + i] = (char)((unsigned char)in[at + i] ^ mask[i % 4]);
    *ret = (struct frame){(enum frame_opcode)(p[0] & 0x0f), str_make(in + at, (size_t)length)};
    *ret_used = at + (size_t)length;
    return STATUS_OK;
}

str frame_accept(struct arena *a, str key)
{
    unsigned char raw[DIGEST_RAW_MAX];
    size_t n = digest_sha1(ARENA_CAT(a, key, STR("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")), raw);
    return b64_encode_arena(a, str_make((const char *)raw, n));
}
