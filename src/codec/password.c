/* SPDX-License-Identifier: Apache-2.0 */
#include <argon2.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include "codec/password.h"

#include "base/limits.h"
#include "codec/b64.h"
#include "codec/digest.h"

#define PBKDF2_NAME   "pbkdf2_sha256"
#define PBKDF2_ROUNDS 600000 /* OWASP's floor for SHA-256 in 2023; the plugin's own 260000 are read as well */
#define ARGON2_NAME   "$argon2id$v=19$"
#define ARGON2_KIB    19456 /* OWASP: 19 MiB, two passes, one lane: about 30 ms, small enough for small machines */
#define ARGON2_PASSES 2
#define ARGON2_LANES  1
#define SALT_BYTES    16
#define HASH_BYTES    32
#define HASH_TEXT_MAX 512 /* far more than either form needs with 16 bytes of salt */

/* ---- PBKDF2 ------------------------------------------------------------------------------------------------------ */

struct pbkdf2 {
    int64_t rounds;
    str salt; /* used as the text it is */
    str hash; /* base64 */
};

static bool pbkdf2_parse(str text, struct pbkdf2 *ret)
{
    str name, rounds, rest;
    if (!str_cut(text, '$', &name, &rest) || !str_is(name, PBKDF2_NAME))
        return false;
    if (!str_cut(rest, '$', &rounds, &rest) || !str_cut(rest, '$', &ret->salt, &ret->hash))
        return false;
    return str_all_digits(rounds) && str_to_i64(rounds, &ret->rounds) && ret->salt.n &&
           str_find_char(ret->hash, '$') == STR_NPOS;
}

static void pbkdf2_run(str password, str salt, int64_t rounds, unsigned char out[HASH_BYTES])
{
    int ok = PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)salt.p, (int)salt.n, (int)rounds,
                               EVP_sha256(), HASH_BYTES, out);
    ASSERT(ok == 1);
}

static enum status pbkdf2_check(str text, struct err *err)
{
    struct pbkdf2 p;
    if (!pbkdf2_parse(text, &p))
        return err_set(err, STATUS_INVALID, "it is not of the form " PBKDF2_NAME "$ITERATIONS$SALT$HASH");
    if (p.rounds < 1 || p.rounds > LIMIT_PASSWORD_ROUNDS)
        return err_set(err, STATUS_INVALID, "its iterations must be from 1 to %d", LIMIT_PASSWORD_ROUNDS);
    struct arena *a = arena_new(HASH_TEXT_MAX * 4);
    str raw;
    bool ok = b64_decode(a, p.hash, &raw) && raw.n == HASH_BYTES;
    arena_free(a);
    return ok ? STATUS_OK : err_set(err, STATUS_INVALID, "its last part is not the base64 of %d bytes", HASH_BYTES);
}

static bool pbkdf2_matches(str text, str password)
{
    struct pbkdf2 p;
    unsigned char out[HASH_BYTES];
    if (!pbkdf2_parse(text, &p))
        return false;
    pbkdf2_run(password, p.salt, p.rounds, out);
    struct arena *a = arena_new(HASH_TEXT_MAX * 4);
    str raw;
    bool same = b64_decode(a, p.hash, &raw) && digest_equal(raw, str_make((const char *)out, sizeof out));
    OPENSSL_cleanse(out, sizeof out);
    arena_free(a);
    return same;
}

/* ---- argon2id -----------------------------------------------------------------------------------------------------
 */

/* "m=19456" -> 19456 */
static bool cost(str text, char name, int64_t max, int64_t *ret)
{
    int64_t n;
    if (text.n < 3 || text.p[0] != name || text.p[1] != '=' || !str_all_digits(str_from(text, 2)) ||
        !str_to_i64(str_from(text, 2), &n) || n < 1 || n > max)
        return false;
    *ret = n;
    return true;
}

static enum status argon2_check(str text, struct err *err)
{
    str rest = str_from(text, sizeof ARGON2_NAME - 1), costs, m, t, p, salt, hash;
    int64_t kib, passes, lanes;
    if (!str_cut(rest, '$', &costs, &rest) || !str_cut(rest, '$', &salt, &hash) || !salt.n || !hash.n ||
        str_find_char(hash, '$') != STR_NPOS || !str_cut(costs, ',', &m, &costs) || !str_cut(costs, ',', &t, &p))
        return err_set(err, STATUS_INVALID, "it is not of the form " ARGON2_NAME "m=KIB,t=PASSES,p=LANES$SALT$HASH");
    if (!cost(m, 'm', LIMIT_PASSWORD_KIB, &kib) || !cost(t, 't', LIMIT_PASSWORD_PASSES, &passes) ||
        !cost(p, 'p', LIMIT_PASSWORD_LANES, &lanes))
        return err_set(err, STATUS_INVALID, "its costs must be numbers of at most m=%d, t=%d, p=%d", LIMIT_PASSWORD_KIB,
                       LIMIT_PASSWORD_PASSES, LIMIT_PASSWORD_LANES);
    struct arena *a = arena_new(HASH_TEXT_MAX * 4);
    str raw_salt, raw_hash;
    bool ok = b64_decode(a, ARENA_CAT(a, salt, str_sub(STR("==="), 0, (4 - salt.n % 4) % 4)), &raw_salt) &&
              b64_decode(a, ARENA_CAT(a, hash, str_sub(STR("==="), 0, (4 - hash.n % 4) % 4)), &raw_hash) &&
              raw_salt.n >= 8 && raw_hash.n >= 16;
    arena_free(a);
    return ok ? STATUS_OK : err_set(err, STATUS_INVALID, "its salt or its hash is not base64, or too short");
}

static bool argon2_matches(str text, str password)
{
    char encoded[HASH_TEXT_MAX];
    memcpy(encoded, text.p, text.n); /* password_check() bounded it */
    encoded[text.n] = 0;
    return argon2id_verify(encoded, password.p, password.n) == ARGON2_OK;
}

/* ---- both ---------------------------------------------------------------------------------------------------------
 */

static bool is_argon2(str hash)
{
    return str_starts(hash, STR(ARGON2_NAME));
}

enum status password_check(str hash, struct err *err)
{
    if (hash.n >= HASH_TEXT_MAX || memchr(hash.p ? hash.p : "", 0, hash.n))
        return err_set(err, STATUS_INVALID, "it is no hash of a password");
    return is_argon2(hash) ? argon2_check(hash, err) : pbkdf2_check(hash, err);
}

bool password_matches(str hash, str password)
{
    if (password.n > LIMIT_PASSWORD || password_check(hash, NULL) != STATUS_OK)
        return false;
    if (!password.p)
        password = STR("");
    return is_argon2(hash) ? argon2_matches(hash, password) : pbkdf2_matches(hash, password);
}

static enum status hash_argon2(struct arena *a, str password, const unsigned char *salt, str *ret, struct err *err)
{
    char encoded[HASH_TEXT_MAX];
    int code = argon2id_hash_encoded(ARGON2_PASSES, ARGON2_KIB, ARGON2_LANES, password.p, password.n, salt, SALT_BYTES,
                                     HASH_BYTES, encoded, sizeof encoded);
    if (code != ARGON2_OK)
        return err_set(err, STATUS_IO, "the password could not be hashed: %s", argon2_error_message(code));
    *ret = arena_str(a, str_of(encoded));
    return STATUS_OK;
}

enum status password_hash(struct arena *a, str password, enum password_kind kind, str *ret, struct err *err)
{
    unsigned char salt[SALT_BYTES], out[HASH_BYTES];
    char hex[DIGEST_HEX_MAX];
    if (!password.n)
        return err_set(err, STATUS_INVALID, "the password is empty");
    if (password.n > LIMIT_PASSWORD)
        return err_set(err, STATUS_INVALID, "the password is longer than %d bytes", LIMIT_PASSWORD);
    if (getrandom(salt, sizeof salt, 0) != (ssize_t)sizeof salt)
        return err_set(err, STATUS_IO, "the system has no random numbers");
    if (kind == PASSWORD_ARGON2ID)
        return hash_argon2(a, password, salt, ret, err);
    digest_to_hex(salt, sizeof salt, hex);
    pbkdf2_run(password, str_of(hex), PBKDF2_ROUNDS, out);
    *ret = arena_printf(a, PBKDF2_NAME "$%d$%s$%s", PBKDF2_ROUNDS, hex,
                        b64_encode_arena(a, str_make((const char *)out, sizeof out)).p);
    return STATUS_OK;
}
