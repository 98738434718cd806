/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/keys.h"

#include <sys/random.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "codec/b64.h"
#include "codec/seal.h"
#include "codec/token.h"
#include "hub/seals.h"

#define SIGN_ON "keys/sign-on.pem"
#define MARK    "vitrine_hub_keys"

enum status keys_save(const struct hub_config *c, const char *file, struct err *err)
{
    struct arena *a = arena_new(0);
    struct value v = value_dict(a);
    struct buf json;
    str secret, pem;
    enum status st = fs_read_file(hub_path(a, c, SEALS_FILE).p, SEALS_BYTES, a, &secret, err);
    if (st == STATUS_OK)
        st = fs_read_file(hub_path(a, c, SIGN_ON).p, LIMIT_TOKEN_KEY_FILE, a, &pem, err);
    if (st == STATUS_OK && access(file, F_OK) == 0) {
        st = err_set(err, STATUS_CONFLICT, "there is a file '%s' already", file);
        err_hint(err, "Name another one, or remove it when the keys are kept elsewhere too.");
    }
    if (st == STATUS_OK) {
        VALUE_SET(v, MARK, value_int(1));
        VALUE_SET(v, "hub", value_str(c->origin));
        VALUE_SET(v, "secret", value_str(b64url_encode(a, secret)));
        VALUE_SET(v, "sign_on", value_str(pem));
        buf_init(&json, LIMIT_HUB_FORM);
        value_to_json_indent(&json, v, VALUE_JSON_UTF8, 2);
        buf_putc(&json, '\n');
        st = fs_write_atomic(file, buf_str(&json), 0600, err);
        buf_release(&json);
    }
    arena_free(a);
    return st;
}

/* Of hub.db, when there is one. */
static enum status is_sealed_with(const struct hub_config *c, struct arena *a, str *ret, struct err *err)
{
    struct store *store = NULL;
    str path = hub_path(a, c, "hub.db");
    *ret = (str){0};
    if (access(path.p, F_OK) != 0)
        return STATUS_OK;
    enum status st = store_open(path, &store, err);
    if (st == STATUS_OK)
        st = seals_key(store, a, ret, err);
    store_free(store);
    return st;
}

enum status keys_read(struct arena *a, const char *file, str *ret_secret, str *ret_pem, struct err *err)
{
    struct value v = VALUE_UNDEF;
    str text;
    enum status st = fs_read_file(file, LIMIT_HUB_FORM, a, &text, err);
    if (st != STATUS_OK)
        return st;
    bool right = value_from_json(a, text, &v, NULL) == STATUS_OK && v.kind == VALUE_DICT && value_has(v, STR(MARK)) &&
                 b64url_decode(a, value_get_text(v, STR("secret")), ret_secret) && ret_secret->n == SEALS_BYTES;
    *ret_pem = value_get_text(v, STR("sign_on"));
    if (right && ret_pem->n)
        return STATUS_OK;
    err_set(err, STATUS_INVALID, "'%s' holds no keys of a hub", file);
    return err_hint(err, "It is the file that vitrine hub keys --save wrote.");
}

enum status keys_load(const struct hub_config *c, const char *file, struct err *err)
{
    struct arena *a = arena_new(0);
    str secret, pem, is;
    enum status st = keys_read(a, file, &secret, &pem, err);
    if (st == STATUS_OK)
        st = is_sealed_with(c, a, &is, err);
    if (st == STATUS_OK && is.n && !str_eq(is, seal_name(a, secret))) {
        st = err_set(err, STATUS_CONFLICT, "hub.db is sealed with other keys than those in '%s'", file);
        err_hint(err, "Restore the hub.db that they belong to, or take the keys of this one.");
    }
    if (st == STATUS_OK)
        st = fs_make_folders(hub_path(a, c, SEALS_FILE), 0700, err);
    if (st == STATUS_OK)
        st = fs_write_atomic(hub_path(a, c, SIGN_ON).p, pem, 0600, err);
    if (st == STATUS_OK) /* last: with it the hub starts */
        st = fs_write_atomic(hub_path(a, c, SEALS_FILE).p, secret, 0600, err);
    arena_free(a);
    return st;
}

enum status keys_renew(const struct hub_config *c, struct err *err)
{
    struct arena *a = arena_new(0);
    struct store *store = NULL;
    char fresh[SEALS_BYTES];
    str path = hub_path(a, c, SEALS_FILE);
    enum status st = STATUS_OK;
    if (access(path.p, F_OK) == 0) {
        st = err_set(err, STATUS_CONFLICT, "%s is there", path.p);
        err_hint(err, "New ones are for a hub that has lost them; remove it first if this is not the right one.");
    }
    if (st == STATUS_OK)
        st = store_open(hub_path(a, c, "hub.db"), &store, err);
    if (st == STATUS_OK)
        st = fs_make_folders(path, 0700, err);
    if (st == STATUS_OK)
        st = seals_drop(store, err);
    ASSERT(getrandom(fresh, sizeof fresh, 0) == (ssize_t)sizeof fresh);
    if (st == STATUS_OK)
        st = fs_write_atomic(path.p, str_make(fresh, sizeof fresh), 0600, err);
    store_free(store);
    arena_free(a);
    return st;
}
