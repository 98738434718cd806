/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/cert_store.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "codec/value.h"
#include "rt/fault.h"

void cert_note_release(struct cert_note *n)
{
    free(n->error);
    free(n->hint);
    *n = (struct cert_note){0};
}

bool cert_name_ok(str name)
{
    str rest = str_starts(name, STR("*.")) ? str_from(name, 2) : name, label;
    size_t labels = 0;
    bool letters = false;
    if (!rest.n || rest.n > LIMIT_EDGE_HOST)
        return false;
    for (bool more = true; more; labels++) {
        more = str_cut(rest, '.', &label, &rest);
        if (!label.n || label.n > 63 || label.p[0] == '-' || (more && !rest.n))
            return false;
        letters = false; /* of the last one: an address has none */
        for (size_t i = 0; i < label.n; i++) {
            char c = label.p[i];
            letters = letters || (c >= 'a' && c <= 'z');
            if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
                return false;
        }
    }
    return labels >= 2 && letters && !str_is(label, "localhost");
}

const char *cert_path(struct arena *a, str state, str name, const char *ending)
{
    bool wild = str_starts(name, STR("*"));
    ASSERT(cert_name_ok(name));
    return arena_printf(a, "%.*s/" CERT_FOLDER "/%s%.*s%s", STR_ARG(state), wild ? "_" : "",
                        STR_ARG(str_from(name, wild ? 1 : 0)), ending)
        .p;
}

bool cert_name_of_file(struct arena *a, const char *file, str *ret)
{
    str s = str_of(file);
    if (!str_ends(s, STR(".pem")))
        return false;
    s.n -= 4;
    str name = str_starts(s, STR("_.")) ? ARENA_CAT(a, STR("*"), str_from(s, 1)) : arena_str(a, s);
    if (!cert_name_ok(name))
        return false;
    *ret = name;
    return true;
}

enum status cert_pem_read(struct arena *a, str state, str name, str *ret, struct err *err)
{
    return fs_read_file(cert_path(a, state, name, ".pem"), LIMIT_TLS_FILE, a, ret, err);
}

enum status cert_pem_write(struct arena *a, str state, str name, str pem, struct err *err)
{
    (void)FAULT("certs.write");
    enum status st = fs_write_atomic(cert_path(a, state, name, ".pem"), pem, 0600, err);
    (void)FAULT("certs.written");
    return st;
}

static const struct field {
    const char *name;
    size_t at;
} fields[] = {
    {"renew_at", offsetof(struct cert_note, renew_at_s)},
    {"look_at", offsetof(struct cert_note, look_at_s)},
    {"retry_at", offsetof(struct cert_note, retry_at_s)},
    {"tried_at", offsetof(struct cert_note, tried_at_s)},
    {"failures", offsetof(struct cert_note, failures)},
    {"failures_total", offsetof(struct cert_note, failures_total)},
};

static char *text_of(struct value v, const char *name)
{
    str s = value_get_text(v, str_of(name));
    return s.n ? mem_cstr(s) : NULL;
}

enum status cert_note_read(str state, str name, struct cert_note *ret, struct err *err)
{
    struct arena *a = arena_new(0);
    struct value v = VALUE_UNDEF;
    str text;
    *ret = (struct cert_note){0};
    enum status st = fs_read_file(cert_path(a, state, name, ".json"), LIMIT_CERT_NOTE, a, &text, err);
    if (st == STATUS_OK && value_from_json(a, text, &v, NULL) != STATUS_OK)
        st = err_set(err, STATUS_CONFIG, "what is noted of the certificate for %.*s cannot be read", STR_ARG(name));
    for (size_t i = 0; i < ARRAY_LEN(fields) && st == STATUS_OK; i++) {
        struct value n = value_get(v, str_of(fields[i].name));
        if (n.kind == VALUE_INT && n.i > 0)
            memcpy((char *)ret + fields[i].at, &n.i, sizeof(n.i));
    }
    if (st == STATUS_OK) {
        ret->demanded = value_truth(VALUE_GET(v, "demanded"));
        ret->error = text_of(v, "error");
        ret->hint = text_of(v, "hint");
    }
    arena_free(a);
    return st;
}

enum status cert_note_write(str state, str name, const struct cert_note *n, struct err *err)
{
    struct arena *a = arena_new(0);
    struct value v = value_dict(a);
    struct buf out;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        int64_t number;
        memcpy(&number, (const char *)n + fields[i].at, sizeof(number));
        value_set(v, str_of(fields[i].name), value_int(number));
    }
    VALUE_SET(v, "demanded", value_bool(n->demanded));
    VALUE_SET(v, "error", value_cstr(n->error));
    VALUE_SET(v, "hint", value_cstr(n->hint));
    buf_init(&out, LIMIT_CERT_NOTE);
    value_to_json_indent(&out, v, VALUE_JSON_UTF8, 1);
    buf_putc(&out, '\n');
    enum status st = fs_write_atomic(cert_path(a, state, name, ".json"), buf_str(&out), 0600, err);
    buf_release(&out);
    arena_free(a);
    return st;
}

void cert_forget(str state, str name)
{
    struct arena *a = arena_new(0);
    (void)unlink(cert_path(a, state, name, ".pem"));
    (void)unlink(cert_path(a, state, name, ".json"));
    arena_free(a);
}
