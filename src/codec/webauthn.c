/* SPDX-License-Identifier: Apache-2.0 */
/* webauthn — see webauthn.h.
 *
 * The bytes, outside in: client data is JSON written by the browser and says for which origin and challenge. The
 * attestation object is a CBOR map {fmt, attStmt, authData}. Authenticator data (section 6.1) is
 *
 *   32 SHA-256 of the rp id | 1 flags | 4 counter | with flag AT: 16 AAGUID, 2 length, id, COSE key | with ED: CBOR map
 *
 * and must end there. At sign-in the authenticator signs authData and the SHA-256 of the client data, one behind the
 * other. Nothing is believed of the authenticator data before its signature is checked; of a registration, which has no
 * signature that we could check, all is the user's own word, and hurts nobody but the user when false. */
#include "codec/webauthn.h"

#include "base/limits.h"
#include "codec/b64.h"
#include "codec/cbor.h"
#include "codec/cose.h"
#include "codec/digest.h"
#include "codec/value.h"

#define HEAD_BYTES 37   /* hash, flags, counter */
#define ID_MAX     1023 /* section 5.8.3 */

enum { FLAG_UP = 0x01, FLAG_UV = 0x04, FLAG_BE = 0x08, FLAG_BS = 0x10, FLAG_AT = 0x40, FLAG_ED = 0x80 };

struct auth_data {
    str rp_hash;
    unsigned flags;
    uint32_t counter;
    const char *aaguid; /* NULL: no credential in it */
    str id, key;
};

/* ---- client data (section 5.8.1) ----------------------------------------------------------------------------------
 */

static enum status read_client_data(struct arena *a, str text, struct value *ret, str *ret_challenge, struct err *err)
{
    struct value v;
    if (text.n > LIMIT_WEBAUTHN_CLIENT_DATA)
        return err_set(err, STATUS_INVALID, "the browser's answer is longer than %d bytes", LIMIT_WEBAUTHN_CLIENT_DATA);
    if (value_from_json(a, text, &v, err) != STATUS_OK || v.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "the browser's answer is no JSON object");
    struct value challenge = value_get(v, STR("challenge"));
    if (challenge.kind != VALUE_STR || !b64url_decode(a, challenge.s, ret_challenge))
        return err_set(err, STATUS_INVALID, "the browser's answer names no challenge");
    *ret = v;
    return STATUS_OK;
}

enum status webauthn_challenge_of(struct arena *a, str client_data, str *ret, struct err *err)
{
    struct value v;
    return read_client_data(a, client_data, &v, ret, err);
}

static enum status check_client_data(struct arena *a, const struct webauthn_site *site, str challenge, str text,
                                     const char *type, struct err *err)
{
    struct value v;
    str signed_challenge;
    enum status st = read_client_data(a, text, &v, &signed_challenge, err);
    if (st != STATUS_OK)
        return st;
    struct value origin = value_get(v, STR("origin")), is = value_get(v, STR("type")),
                 cross = value_get(v, STR("crossOrigin")), top = value_get(v, STR("topOrigin"));
    if (is.kind != VALUE_STR || !str_is(is.s, type))
        return err_set(err, STATUS_INVALID, "the browser's answer is not of the type %s", type);
    if (!challenge.n || !digest_equal(signed_challenge, challenge))
        return err_set(err, STATUS_INVALID, "the browser's answer is to another challenge");
    if (origin.kind != VALUE_STR || !str_eq(origin.s, site->origin))
        return err_set(err, STATUS_INVALID, "the browser's answer was made for another site than " STR_FMT,
                       STR_ARG(site->origin));
    bool framed = (cross.kind == VALUE_BOOL && cross.b) || top.kind != VALUE_UNDEFINED;
    return framed ? err_set(err, STATUS_INVALID, "the browser's answer was made inside a page of another site")
                  : STATUS_OK;
}

/* ---- authenticator data (section 6.1) -----------------------------------------------------------------------------
 */

static uint32_t big32(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static enum status damaged(struct err *err)
{
    return err_set(err, STATUS_INVALID, "the authenticator's data is damaged");
}

/* Section 6.5.1: the credential within. */
static enum status read_credential(str *rest, struct auth_data *d, struct err *err)
{
    enum cose_alg alg;
    if (rest->n < WEBAUTHN_AAGUID + 2)
        return damaged(err);
    d->aaguid = rest->p;
    size_t n = (size_t)(unsigned char)rest->p[WEBAUTHN_AAGUID] << 8 | (unsigned char)rest->p[WEBAUTHN_AAGUID + 1];
    *rest = str_from(*rest, WEBAUTHN_AAGUID + 2);
    if (!n || n > ID_MAX || n > rest->n)
        return damaged(err);
    d->id = str_sub(*rest, 0, n);
    *rest = str_from(*rest, n);
    return cose_take_key(rest, &d->key, &alg, err);
}

static enum status read_auth_data(str text, struct auth_data *ret, struct err *err)
{
    if (text.n < HEAD_BYTES)
        return damaged(err);
    struct auth_data d = {
        .rp_hash = str_sub(text, 0, 32), .flags = (unsigned char)text.p[32], .counter = big32(text.p + 33)};
    str rest = str_from(text, HEAD_BYTES);
    if (d.flags & FLAG_AT) {
        enum status st = read_credential(&rest, &d, err);
        if (st != STATUS_OK)
            return st;
    }
    if (d.flags & FLAG_ED) {
        str extensions = rest;
        struct cbor_item map;
        if (!cbor_next(&extensions, &map) || map.type != CBOR_MAP || !cbor_skip(&rest))
            return damaged(err);
    }
    if (rest.n ||
        (!(d.flags & FLAG_BE) && d.flags & FLAG_BS)) /* backed up, but never to be: section 6.1.3 of Level 3 */
        return damaged(err);
    *ret = d;
    return STATUS_OK;
}

static enum status check_auth_data(const struct webauthn_site *site, str text, struct auth_data *ret, struct err *err)
{
    unsigned char hash[DIGEST_RAW_MAX];
    struct auth_data d;
    enum status st = read_auth_data(text, &d, err);
    if (st != STATUS_OK)
        return st;
    size_t n = digest_sha256(site->rp_id, hash);
    if (!digest_equal(d.rp_hash, str_make((const char *)hash, n)))
        return err_set(err, STATUS_INVALID, "the passkey is for another site than " STR_FMT, STR_ARG(site->rp_id));
    if (!(d.flags & FLAG_UP))
        return err_set(err, STATUS_INVALID, "the authenticator did not ask whether somebody is there");
    *ret = d;
    return STATUS_OK;
}

/* ---- registration (section 7.1) -----------------------------------------------------------------------------------
 */

/* {fmt: text, attStmt: map, authData: bytes}, each once, in any order */
static bool read_attestation(str text, str *ret_auth_data)
{
    struct cbor_item map, name, v;
    str fmt = {0}, auth_data = {0};
    bool statement = false;
    if (!cbor_next(&text, &map) || map.type != CBOR_MAP || map.n != 3)
        return false;
    for (int i = 0; i < 3; i++) {
        if (!cbor_next(&text, &name) || name.type != CBOR_TEXT)
            return false;
        str before = text;
        if (!cbor_next(&text, &v))
            return false;
        if (str_is(name.s, "fmt") && v.type == CBOR_TEXT && !fmt.p) {
            fmt = v.s;
        } else if (str_is(name.s, "authData") && v.type == CBOR_BYTES && !auth_data.p) {
            auth_data = v.s;
        } else if (str_is(name.s, "attStmt") && v.type == CBOR_MAP && !statement) {
            statement = true;
            text = before;
            if (!cbor_skip(&text))
                return false;
        } else {
            return false;
        }
    }
    *ret_auth_data = auth_data;
    return !text.n;
}

enum status webauthn_register(struct arena *a, const struct webauthn_site *site, str challenge, str client_data,
                              str attestation_object, struct webauthn_credential *ret, struct err *err)
{
    struct auth_data d;
    str auth_data;
    enum status st = check_client_data(a, site, challenge, client_data, "webauthn.create", err);
    if (st != STATUS_OK)
        return st;
    if (attestation_object.n > LIMIT_WEBAUTHN_ATTESTATION)
        return err_set(err, STATUS_INVALID, "the authenticator's answer is longer than %d bytes",
                       LIMIT_WEBAUTHN_ATTESTATION);
    if (!read_attestation(attestation_object, &auth_data))
        return err_set(err, STATUS_INVALID, "the authenticator's answer is damaged");
    if ((st = check_auth_data(site, auth_data, &d, err)) != STATUS_OK)
        return st;
    if (!d.aaguid)
        return err_set(err, STATUS_INVALID, "the authenticator gave no key");
    struct webauthn_credential c = {.id = d.id,
                                    .key = d.key,
                                    .counter = d.counter,
                                    .user_verified = d.flags & FLAG_UV,
                                    .backed_up = d.flags & FLAG_BS};
    memcpy(c.aaguid, d.aaguid, sizeof c.aaguid);
    *ret = c;
    return STATUS_OK;
}

/* ---- assertion (section 7.2) --------------------------------------------------------------------------------------
 */

enum status webauthn_assert(struct arena *a, const struct webauthn_site *site, str challenge, str key, uint32_t counter,
                            const struct webauthn_assertion *given, struct webauthn_seen *ret, struct err *err)
{
    struct auth_data d;
    unsigned char hash[DIGEST_RAW_MAX];
    enum status st = check_client_data(a, site, challenge, given->client_data, "webauthn.get", err);
    if (st != STATUS_OK)
        return st;
    if (given->authenticator_data.n > LIMIT_WEBAUTHN_ATTESTATION)
        return err_set(err, STATUS_INVALID, "the authenticator's answer is longer than %d bytes",
                       LIMIT_WEBAUTHN_ATTESTATION);
    if ((st = check_auth_data(site, given->authenticator_data, &d, err)) != STATUS_OK)
        return st;
    size_t n = digest_sha256(given->client_data, hash);
    str message = ARENA_CAT(a, given->authenticator_data, str_make((const char *)hash, n));
    if (!cose_verify(key, message, given->signature))
        return err_set(err, STATUS_FORBIDDEN, "the signature is not by this passkey");
    *ret = (struct webauthn_seen){.counter = d.counter,
                                  .user_verified = d.flags & FLAG_UV,
                                  .backed_up = d.flags & FLAG_BS,
                                  .cloned = (d.counter || counter) && d.counter <= counter};
    return STATUS_OK;
}
