/* SPDX-License-Identifier: Apache-2.0 */
/* problem — what an authority says when it refuses (RFC 8555 section 6.7), and what helps. */
#include "acme/acme_impl.h"

#define PREFIX "urn:ietf:params:acme:error:"

static const struct remedy {
    const char *type;
    enum status status;
    const char *hint;
} remedies[] = {
    {"dns", STATUS_CONFIG,
     "Its name must be in the DNS and point to this machine: look at its A, AAAA and CAA records."},
    {"connection", STATUS_CONFIG,
     "The authority must reach this machine from outside: port 80 for http-01, port 443 for tls-alpn-01. Look at the "
     "firewall and at where the name points."},
    {"unauthorized", STATUS_CONFIG,
     "Something else answered for this name: look at where it points (A and AAAA), and at what stands in front."},
    {"incorrectResponse", STATUS_CONFIG,
     "Something else answered for this name: look at where it points (A and AAAA), and at what stands in front."},
    {"tls", STATUS_CONFIG, "Port 443 must reach this machine without anything that ends TLS before it."},
    {"caa", STATUS_CONFIG, "A CAA record of the name (or above it) allows other authorities only: add this one."},
    {"rejectedIdentifier", STATUS_CONFIG, "This authority gives no certificates for this name; use another one."},
    {"unsupportedIdentifier", STATUS_CONFIG, "This authority gives no certificates for names like this one."},
    {"externalAccountRequired", STATUS_CONFIG, "Give --acme-eab KID FILE with what the authority gave you."},
    {"userActionRequired", STATUS_CONFIG, "The authority wants something from you: see the address it names."},
    {"invalidContact", STATUS_CONFIG, "Give another mail address with --acme."},
    {"unsupportedContact", STATUS_CONFIG, "Give another mail address with --acme."},
    {"rateLimited", STATUS_RATE,
     "It is asked again when the authority allows it. For trials use its staging directory."},
    {"accountDoesNotExist", STATUS_CONFIG, "The authority forgot our account; the next try makes a new one."},
    {"serverInternal", STATUS_IO, "The fault is the authority's; it is asked again later."},
};

str acme_problem_type(struct value problem)
{
    str type = value_get_text(problem, STR("type"));
    return str_starts(type, STR(PREFIX)) ? str_from(type, sizeof(PREFIX) - 1) : type;
}

/* Text of others goes to terminals and logs: no control characters, no end of line. */
static str clean(struct arena *a, str s)
{
    s = str_sub(s, 0, 500);
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f ? ' ' : s.p[i];
    return str_make(p, s.n);
}

enum status acme_problem(struct arena *a, struct value problem, int http_status, const char *what, struct err *err)
{
    str type = acme_problem_type(problem), detail = clean(a, value_get_text(problem, STR("detail")));
    enum status st = http_status == 429 ? STATUS_RATE : STATUS_IO;
    const char *hint = "";
    struct value parts = VALUE_GET(problem, "subproblems");
    if (value_count(parts)) { /* of one name there is one that matters */
        str more = clean(a, value_get_text(value_at(parts, 0), STR("detail")));
        if (more.n && !str_eq(more, detail))
            detail = arena_printf(a, "%.*s: %.*s", STR_ARG(detail), STR_ARG(more));
        if (str_is(type, "compound") || str_is(type, "malformed"))
            type = acme_problem_type(value_at(parts, 0));
    }
    for (size_t i = 0; i < ARRAY_LEN(remedies); i++)
        if (str_is(type, remedies[i].type)) {
            st = remedies[i].status;
            hint = remedies[i].hint;
        }
    if (!detail.n)
        detail =
            http_status ? arena_printf(a, "it answered %d and gave no reason", http_status) : STR("it gave no reason");
    err_set(err, st, "%s: the authority says: %.*s%s%.*s%s", what, STR_ARG(detail), type.n ? " (" : "",
            STR_ARG(clean(a, type)), type.n ? ")" : "");
    if (*hint)
        err_hint(err, "%s", hint);
    return st;
}
