/* SPDX-License-Identifier: Apache-2.0 */
/* account — who we are to an authority (RFC 8555 section 7.3): a key, and the address it gave for it. One file keeps
 * both, written whole; it is made once and lives as long as the state folder. The key is written before the authority
 * is asked: a crash in between finds the same account again, for an authority answers for a key it knows with the
 * account there is. Processes that begin at the same time wait for each other at the lock beside the file. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "acme/acme_impl.h"
#include "base/fs.h"
#include "base/limits.h"
#include "codec/b64.h"
#include "rt/fault.h"

static enum status load(struct acme *c, struct err *err)
{
    str text;
    struct value v;
    const char *path = arena_cstr(c->a, c->config->account);
    enum status st = fs_read_file(path, LIMIT_ACME_ACCOUNT, c->a, &text, err);
    if (st == STATUS_NOT_FOUND)
        return st;
    if (st == STATUS_OK)
        st = value_from_json(c->a, text, &v, err);
    if (st == STATUS_OK)
        st = jose_key_from_pem(value_get_text(v, STR("key")), &c->key, err);
    if (st == STATUS_OK) {
        c->kid = value_get_text(v, STR("url"));
        return STATUS_OK;
    }
    err_prefix(err, "the account file '%s'", path);
    return err_hint(err, "Move it away: a new account is made then.");
}

static enum status save(const struct acme *c, struct err *err)
{
    struct value v = value_dict(c->a);
    struct buf out;
    VALUE_SET(v, "directory", value_str(c->config->directory));
    VALUE_SET(v, "url", value_str(c->kid));
    VALUE_SET(v, "key", value_str(jose_key_to_pem(c->a, c->key)));
    buf_init(&out, LIMIT_ACME_ACCOUNT);
    value_to_json_indent(&out, v, VALUE_JSON_UTF8, 1);
    buf_putc(&out, '\n');
    (void)FAULT("acme.account");
    enum status st = fs_write_atomic(arena_cstr(c->a, c->config->account), buf_str(&out), 0600, err);
    buf_release(&out);
    return st;
}

static enum status binding(const struct acme *c, struct value payload, struct err *err)
{
    str secret;
    struct value v;
    const struct acme_config *g = c->config;
    if (!g->eab_kid.n && c->eab_required) {
        err_set(err, STATUS_CONFIG, "this authority wants an account that it knows already (external account binding)");
        return err_hint(err, "Give --acme-eab KID FILE with what the authority gave you.");
    }
    if (!g->eab_kid.n)
        return STATUS_OK;
    if (!b64url_decode(c->a, str_trim(g->eab_key), &secret))
        return err_set(err, STATUS_CONFIG, "the key of --acme-eab is not base64url");
    struct value header = value_dict(c->a);
    struct buf b;
    VALUE_SET(header, "alg", value_cstr("HS256"));
    VALUE_SET(header, "kid", value_str(g->eab_kid));
    VALUE_SET(header, "url", value_str(c->new_account));
    buf_init(&b, LIMIT_ACME_ACCOUNT);
    value_to_json(&b, header, VALUE_JSON_COMPACT);
    enum status st =
        value_from_json(c->a, jose_sign_secret(c->a, secret, buf_str(&b), jose_jwk(c->a, c->key)), &v, err);
    buf_release(&b);
    VALUE_SET(payload, "externalAccountBinding", v);
    return st;
}

static enum status enroll(struct acme *c, struct err *err)
{
    struct value payload = value_dict(c->a), contact = value_list(c->a);
    struct acme_answer answer;
    struct buf b;
    if (c->terms.n && !c->config->agree) {
        err_set(err, STATUS_CONFIG, "the authority has terms of service, and nobody agreed to them");
        return err_hint(err, "Read %.*s; then say so with --acme-agree.", STR_ARG(str_sub(c->terms, 0, 200)));
    }
    VALUE_SET(payload, "termsOfServiceAgreed", value_bool(c->config->agree));
    if (c->config->contact.n) {
        value_push(contact, value_str(ARENA_CAT(c->a, STR("mailto:"), c->config->contact)));
        VALUE_SET(payload, "contact", contact);
    }
    enum status st = binding(c, payload, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&b, LIMIT_ACME_ACCOUNT);
    value_to_json(&b, payload, VALUE_JSON_COMPACT);
    st = acme_post(c, c->new_account, buf_str(&b), true, &answer, err);
    buf_release(&b);
    if (st != STATUS_OK) {
        err_prefix(err, "an account for us");
        return err ? err->status : st;
    }
    if (!answer.location.n || answer.location.n > LIMIT_ACME_URL || str_find_char(answer.location, '"') != STR_NPOS)
        return err_set(err, STATUS_INVALID, "the authority made an account, and did not say where it is");
    c->kid = answer.location;
    return save(c, err);
}

static enum status locked(struct acme *c, bool again, struct err *err)
{
    enum status st = load(c, err);
    if (st == STATUS_NOT_FOUND) {
        err_clear(err);
        c->key = jose_key_make();
        st = save(c, err);
    }
    if (st == STATUS_OK && (again || !c->kid.n))
        st = enroll(c, err);
    return st;
}

static enum status account(struct acme *c, bool again, struct err *err)
{
    int fd;
    const char *path = arena_printf(c->a, "%.*s.lock", STR_ARG(c->config->account)).p;
    jose_key_free(c->key);
    c->key = NULL;
    enum status st = fs_open(path, O_RDWR | O_CREAT, 0600, &fd, err);
    if (st != STATUS_OK)
        return st;
    if (flock(fd, LOCK_EX) < 0)
        st = err_sys(err, STATUS_IO, errno, "cannot lock '%s'", path);
    if (st == STATUS_OK)
        st = locked(c, again, err);
    close(fd);
    return st;
}

enum status acme_account(struct acme *c, struct err *err)
{
    return account(c, false, err);
}

enum status acme_account_again(struct acme *c, struct err *err)
{
    return account(c, true, err);
}
