/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/msg.h"

#define MAGIC      UINT32_C(0x4d525456) /* "VTRM" */
#define HEAD_BYTES 8
#define FIELD_HEAD 8 /* tag, 2 bytes of nothing, length */

#define TAG(t) (1u << (t))

enum { FDS_ANY = -1 };

static const struct {
    const char *name;
    unsigned must; /* fields */
    int fds;       /* descriptors that come with it */
} types[MSG_TYPES] = {
    [MSG_HELLO] = {"hello", TAG(MSG_TAG_PID) | TAG(MSG_TAG_PROGRAM), 0},
    [MSG_SOCKETS] = {"sockets", TAG(MSG_TAG_LABELS), FDS_ANY},
    [MSG_READY] = {"ready", 0, 0},
    [MSG_FAILED] = {"failed", TAG(MSG_TAG_WHY), 0},
    [MSG_CONNECTION] = {"connection", TAG(MSG_TAG_SOCKET) | TAG(MSG_TAG_UNREAD), 1},
    [MSG_DONE] = {"done", 0, 0},
    [MSG_ALONE] = {"alone", 0, 0},
    [MSG_KEEP] = {"keep", TAG(MSG_TAG_LABELS), FDS_ANY},
    [MSG_MAIN] = {"main", TAG(MSG_TAG_PID), 0},
    [MSG_NOTIFY] = {"notify", TAG(MSG_TAG_TEXT), 0},
    [MSG_STOPPED] = {"stopped", 0, 0},
    [MSG_RENEW] = {"renew", 0, 0},
    [MSG_ASK] = {"ask", 0, 0},
    [MSG_TUNNEL] = {"tunnel", TAG(MSG_TAG_SOCKET) | TAG(MSG_TAG_UNREAD), 2},
};
static const unsigned numeric = TAG(MSG_TAG_PID) | TAG(MSG_TAG_SOCKET);
static const char *const tag_names[MSG_TAGS] = {"",    "pid",    "program", "labels", "state",
                                                "why", "socket", "unread",  "note",   "text"};

const char *msg_name(enum msg_type type)
{
    return (unsigned)type < MSG_TYPES && types[type].name ? types[type].name : "unknown";
}

static void put_le(struct buf *out, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buf_putc(out, (char)(v >> (8 * i)));
}

static uint64_t get_le(const char *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)(unsigned char)p[i] << (8 * i);
    return v;
}

void msg_begin(struct buf *out, enum msg_type type)
{
    buf_clear(out);
    put_le(out, MAGIC, 4);
    put_le(out, MSG_VERSION, 2);
    put_le(out, (uint64_t)type, 2);
}

void msg_put(struct buf *out, enum msg_tag tag, str bytes)
{
    put_le(out, (uint64_t)tag, 2);
    put_le(out, 0, 2);
    put_le(out, bytes.n, 4);
    buf_puts(out, bytes);
}

void msg_put_number(struct buf *out, enum msg_tag tag, uint64_t n)
{
    char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(n >> (8 * i));
    msg_put(out, tag, str_make(bytes, sizeof bytes));
}

static enum status read_fields(str rest, struct msg *ret, struct err *err)
{
    while (rest.n) {
        if (rest.n < FIELD_HEAD)
            return err_set(err, STATUS_PROTOCOL, "a message that ends inside a field");
        unsigned tag = (unsigned)get_le(rest.p, 2);
        uint64_t n = get_le(rest.p + 4, 4);
        rest = str_from(rest, FIELD_HEAD);
        if (n > rest.n)
            return err_set(err, STATUS_PROTOCOL, "a field that is longer than its message");
        str value = str_sub(rest, 0, (size_t)n);
        rest = str_from(rest, (size_t)n);
        if (!tag || tag >= MSG_TAGS) /* of a later version */
            continue;
        if (ret->fields[tag].p)
            return err_set(err, STATUS_PROTOCOL, "two fields \"%s\" in one message", tag_names[tag]);
        if ((numeric & TAG(tag)) && n != 8)
            return err_set(err, STATUS_PROTOCOL, "the field \"%s\" is no number", tag_names[tag]);
        ret->fields[tag] = value.n ? value : STR("");
        if (numeric & TAG(tag))
            ret->numbers[tag] = get_le(value.p, 8);
    }
    return STATUS_OK;
}

enum status msg_read(str bytes, size_t fd_count, struct msg *ret, struct err *err)
{
    struct msg m = {0};
    if (bytes.n < HEAD_BYTES || get_le(bytes.p, 4) != MAGIC)
        return err_set(err, STATUS_PROTOCOL, "that is no message of vitrine's");
    m.version = (unsigned)get_le(bytes.p + 4, 2);
    unsigned type = (unsigned)get_le(bytes.p + 6, 2);
    if (!m.version)
        return err_set(err, STATUS_PROTOCOL, "a message without a version");
    enum status st = read_fields(str_from(bytes, HEAD_BYTES), &m, err);
    if (st != STATUS_OK)
        return st;
    if (type < MSG_TYPES && types[type].name) {
        m.type = (enum msg_type)type;
        for (unsigned tag = 1; tag < MSG_TAGS; tag++)
            if ((types[type].must & TAG(tag)) && !m.fields[tag].p)
                return err_set(err, STATUS_PROTOCOL, "the message \"%s\" lacks \"%s\"", types[type].name,
                               tag_names[tag]);
        if (types[type].fds != FDS_ANY && (size_t)types[type].fds != fd_count)
            return err_set(err, STATUS_PROTOCOL, "the message \"%s\" came with %zu descriptors instead of %d",
                           types[type].name, fd_count, types[type].fds);
    }
    *ret = m;
    return STATUS_OK;
}
