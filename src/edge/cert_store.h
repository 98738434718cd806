/* SPDX-License-Identifier: Apache-2.0 */
/* cert_store: certificates in the state folder, two files each:
 *
 *   certs/www.example.org.pem    key, certificate and chain in one file: never one without the other
 *   certs/www.example.org.json   when it is renewed, what went wrong
 *
 * "*.example.org" is "_.example.org". Each file is written whole or not at all, for the owner only (0600). Any number
 * of processes may read; who writes the .pem is `vitrine certs obtain`, who writes the .json is the edge. Blocks. */
#ifndef VITRINE_EDGE_CERT_STORE_H
#define VITRINE_EDGE_CERT_STORE_H

#include "base/arena.h"
#include "base/err.h"

#define CERT_FOLDER "certs"

struct cert_note {
    int64_t renew_at_s;     /* as the authority suggests; 0 = it does not */
    int64_t look_at_s;      /* when it is asked for that again */
    int64_t retry_at_s;     /* no try before */
    int64_t tried_at_s;     /* the last one; 0 = none */
    int64_t failures;       /* in a row */
    int64_t failures_total; /* since the edge knows the name */
    bool demanded;          /* wanted by a visitor, not by a route */
    char *error, *hint;     /* of the last failure; NULL = none */
};
void cert_note_release(struct cert_note *n);

/* A host or "*.host" that a certificate can be asked for: lower case, two labels at least, no address. */
bool cert_name_ok(str name);
/* ending: ".pem". Name must be one that cert_name_ok likes. */
const char *cert_path(struct arena *a, str state, str name, const char *ending);
/* The name behind "_.example.org.pem"; false: another file. */
bool cert_name_of_file(struct arena *a, const char *file, str *ret);

enum status cert_pem_read(struct arena *a, str state, str name, str *ret, struct err *err) MUST_USE;
enum status cert_pem_write(struct arena *a, str state, str name, str pem, struct err *err) MUST_USE;
/* NOT_FOUND, CONFIG: as if nothing were known; ret is then all zero. */
enum status cert_note_read(str state, str name, struct cert_note *ret, struct err *err) MUST_USE;
enum status cert_note_write(str state, str name, const struct cert_note *n, struct err *err) MUST_USE;
void cert_forget(str state, str name); /* removes both files */

#endif
