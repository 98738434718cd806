/* SPDX-License-Identifier: Apache-2.0 */
/* frame: WebSocket frames (RFC 6455 section 5), whole messages in one frame each. No I/O. Any thread. */
#ifndef VITRINE_PROVE_FRAME_H
#define VITRINE_PROVE_FRAME_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum frame_opcode { FRAME_TEXT = 1, FRAME_BINARY = 2, FRAME_CLOSE = 8, FRAME_PING = 9, FRAME_PONG = 10 };

struct frame {
    enum frame_opcode opcode;
    str payload; /* points into what was read, unmasked in place */
};

/* Appends a frame; a client masks with `key`, a server does not. */
void frame_put(struct buf *out, enum frame_opcode opcode, bool masked, uint32_t key, str payload);
/* Reads one frame out of the beginning of `in`, which is changed (unmasked). `masked`: what the other side must do.
 * Returns OK, AGAIN (incomplete; nothing changed), PROTOCOL (in pieces, wrong mask, reserved bits, too long). */
enum status frame_read(char *in, size_t n, bool masked, struct frame *ret, size_t *ret_used, struct err *err) MUST_USE;
/* Sec-WebSocket-Accept for a key. */
str frame_accept(struct arena *a, str key);

#endif
