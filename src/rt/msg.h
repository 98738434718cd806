/* SPDX-License-Identifier: Apache-2.0 */
/* msg: typed, versioned messages between two processes of ours that may be of different versions.
 *
 * A message is a head (magic, version, type) and fields (tag, length, bytes), all little endian. The table below says
 * what each type must carry. What a later version adds, a field or a type, is passed over by an earlier one; what is
 * missing or malformed is an error that names it. No I/O. Any thread. */
#ifndef VITRINE_RT_MSG_H
#define VITRINE_RT_MSG_H

#include "base/buf.h"
#include "base/err.h"

#define MSG_VERSION 1 /* raise it when a type changes its meaning, not when one is added */

enum msg_type { /* numbers go over the wire: never reuse one */
                MSG_UNKNOWN = 0,
                MSG_HELLO = 1,   /* successor: I am here */
                MSG_SOCKETS = 2, /* predecessor: what we listen on, one descriptor each; do not accept yet */
                MSG_READY = 3,   /* successor: I accept */
                MSG_FAILED = 4,  /* successor: I cannot, because */
                MSG_CONNECTION =
                    5,         /* predecessor: a connection between two requests, with what was read of it already */
                MSG_DONE = 6,  /* predecessor: that was the last one */
                MSG_ALONE = 7, /* successor: I have everything */
                /* between a process and the one that watches over it (edge/supervisor.c) */
                MSG_KEEP = 8,     /* keep these sockets for whoever comes after me */
                MSG_MAIN = 9,     /* from now on this process serves */
                MSG_NOTIFY = 10,  /* tell the service manager */
                MSG_STOPPED = 11, /* I end because I was told to */
                MSG_RENEW = 12,   /* the program was replaced: be the new one */
                MSG_ASK = 13,     /* supervisor: what am I to keep? */
                MSG_TUNNEL = 14,  /* predecessor: two connections that belong together, nothing between them */
                MSG_TYPES
};
enum msg_tag { /* likewise */
               MSG_TAG_PID = 1,
               MSG_TAG_PROGRAM = 2, /* version of the program, text */
               MSG_TAG_LABELS = 3,  /* of the sockets, in the order of the descriptors, separated by NUL */
               MSG_TAG_STATE = 4,   /* what the application wants to be kept */
               MSG_TAG_WHY = 5,
               MSG_TAG_SOCKET = 6, /* index of the listening socket */
               MSG_TAG_UNREAD = 7,
               MSG_TAG_NOTE = 8, /* what the application says of a connection */
               MSG_TAG_TEXT = 9,
               MSG_TAGS
};

struct msg {
    enum msg_type type;
    unsigned version;
    str fields[MSG_TAGS];       /* by tag; .p NULL = absent; point into what was read */
    uint64_t numbers[MSG_TAGS]; /* of the fields that are numbers */
};

/* begin, put any number of fields, then send the buf. */
void msg_begin(struct buf *out, enum msg_type type);
void msg_put(struct buf *out, enum msg_tag tag, str bytes);
void msg_put_number(struct buf *out, enum msg_tag tag, uint64_t n);
/* Reads a whole message that came with fd_count descriptors. Returns OK (type MSG_UNKNOWN: of a later version, to be
 * passed over together with its descriptors), PROTOCOL. */
enum status msg_read(str bytes, size_t fd_count, struct msg *ret, struct err *err) MUST_USE;
const char *msg_name(enum msg_type type); /* "hello" */

#endif
