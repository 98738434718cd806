/* SPDX-License-Identifier: Apache-2.0 */
/* smtp: one e-mail to one address, handed to the server that sends our mail (RFC 5321, 6409), by libcurl. The
 * connection is encrypted with a certificate that is trusted, or nothing is said: smtps:// from its first byte, smtp://
 * by STARTTLS (RFC 3207). Only to a server on this machine smtp:// is in the clear, unless there is a ca_file. Blocks;
 * any thread. */
#ifndef VITRINE_NET_SMTP_H
#define VITRINE_NET_SMTP_H

#include "base/arena.h"
#include "base/err.h"

struct smtp {
    str url;            /* smtp://host[:port] or smtps://host[:port]; the port is 587 or 465 when it is not given */
    str user, password; /* both empty = none */
    str ca_file;        /* certificates to trust; empty = what SSL_CERT_FILE names, or the system's */
    str name;           /* how we call ourselves (EHLO): a host name */
    int64_t timeout_ms; /* of everything */
};

/* OK: a url that smtp_send takes; else INVALID, with what is wrong. */
enum status smtp_check(str url, struct err *err) MUST_USE;
/* `message` has CR LF ends of lines; from and to have been checked (codec/letter.h).
 * OK: the server has taken it. INVALID: it refuses this message or this address for good (5xx). CONFIG: it refuses us
 * (no STARTTLS, a certificate that is not trusted, a wrong password). BUSY: it asks to try later (4xx). IO, TIMEOUT: no
 * connection. NOT_IMPLEMENTED: no libcurl. All but INVALID may pass by themselves or by a changed configuration. */
enum status smtp_send(struct arena *a, const struct smtp *s, str from, str to, str message, struct err *err) MUST_USE;

#endif
