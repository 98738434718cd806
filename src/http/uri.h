/* SPDX-License-Identifier: Apache-2.0 */
/* uri: request targets (RFC 9112 section 3.2), taken apart and checked but not decoded. Pure; any thread. */
#ifndef VITRINE_HTTP_URI_H
#define VITRINE_HTTP_URI_H

#include "base/arena.h"
#include "base/err.h"

enum uri_form { URI_ORIGIN, URI_ABSOLUTE, URI_ASTERISK, URI_AUTHORITY };
struct uri_target {
    enum uri_form form;
    str scheme;    /* ABSOLUTE: "http" or "https" as written */
    str authority; /* ABSOLUTE, AUTHORITY */
    str path;      /* raw; "/" when an absolute-form target has none; "*" for ASTERISK */
    str query;     /* raw, without "?" */
    bool has_query;
};
/* Visible ASCII only; no fragment; absolute-form with http or https and an authority without user information. Asterisk
 * and authority form are told apart by `is_options` / `is_connect`. Returns OK, INVALID (with the reason). */
enum status uri_parse_target(str target, bool is_options, bool is_connect, struct uri_target *ret,
                             struct err *err) MUST_USE;
/* host[:port] of a Host field or an authority: reg-name, IPv4 or [IPv6], port digits up to 65535. Empty is fine. */
bool uri_authority_ok(str authority);
/* An address that a visitor named may be put into Location: a path of this host, with or without a query. It begins
 * with one "/" and holds nothing that browsers skip or read otherwise ("//host", "/\\host", "/\n/host"); at most
 * LIMIT_SIGN_IN_NEXT bytes. What is %-encoded stays a part of the path (WHATWG URL, path state). */
bool uri_is_own_path(str path);
/* A raw, %-encoded path to a relative file path below a root: decoded once, "." and empty segments dropped, ".."
 * resolved. Returns OK (*ret may be empty: the root itself), NOT_FOUND when it would leave the root or holds NUL, a
 * control byte, a backslash or a broken %-escape. A trailing "/" is kept. */
enum status uri_file_path(struct arena *a, str raw_path, str *ret, struct err *err) MUST_USE;

#endif
