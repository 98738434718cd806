/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's headers come before ours: they use names that base/banned.h takes away. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/identity.h"
#include "net/tls.h"

struct identity {
    atomic_uint refs;
    X509 *cert;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    int64_t begins_unix_s, expires_unix_s;
    char **names;
    size_t name_count;
    char *cert_what, *key_what; /* "'/etc/tls/cert.pem'" */
};

/* ---- certificate and chain ---- */

static int64_t to_unix_s(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : INT64_MAX;
}

static void note_dates(struct identity *id)
{
    const X509 *cert = id->cert;
    id->begins_unix_s = to_unix_s(X509_get0_notBefore(cert));
    id->expires_unix_s = to_unix_s(X509_get0_notAfter(cert));
    if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
        log_line(LOG_WARN, "tls", "the certificate in %s has expired", id->cert_what);
    else if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
        log_line(LOG_WARN, "tls", "the certificate in %s is not valid yet", id->cert_what);
}

static void add_name(struct identity *id, const ASN1_STRING *s)
{
    int n = ASN1_STRING_length(s);
    if (n <= 0 || n > LIMIT_TLS_NAME || id->name_count == (size_t)LIMIT_TLS_NAMES)
        return;
    char *p = mem_cstr(str_make((const char *)ASN1_STRING_get0_data(s), (size_t)n));
    (void)str_lower(p, str_of(p));
    id->names[id->name_count++] = p;
}

/* RFC 6125 section 6.4.4: the common name counts only where there is no alternative name. */
static void note_names(struct identity *id)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(id->cert, NID_subject_alt_name, NULL, NULL);
    int count = sk_GENERAL_NAME_num(all); /* -1: there is no such extension */
    id->names = mem_array((size_t)MAX(count, 1), sizeof(char *));
    for (int i = 0; i < count; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
        if (name->type == GEN_DNS)
            add_name(id, name->d.dNSName);
    }
    GENERAL_NAMES_free(all);
    X509_NAME *subject = X509_get_subject_name(id->cert);
    int at = id->name_count ? -1 : X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0)
        add_name(id, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

static enum status read_chain(struct identity *id, BIO *bio, struct err *err)
{
    char text[256];
    id->cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    if (!id->cert) {
        err_set(err, STATUS_CONFIG, "%s does not begin with a certificate in PEM form", id->cert_what);
        err_hint(err, "it needs a block -----BEGIN CERTIFICATE-----");
        return STATUS_CONFIG;
    }
    X509 *cert;
    id->chain = sk_X509_new_null();
    ASSERT(id->chain != NULL);
    while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        ASSERT(sk_X509_push(id->chain, cert) > 0);
    unsigned long code = ERR_peek_last_error(); /* "no start line" is how the end of the file looks */
    bool at_end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    tls_error_text(text, sizeof(text));
    if (!at_end)
        return err_set(err, STATUS_CONFIG, "the chain in %s is damaged: %s", id->cert_what, text);
    note_dates(id);
    note_names(id);
    return STATUS_OK;
}

/* ---- key ---- */

static int refuse_pass_phrase(char *p, int size, int writing, void *arg)
{
    (void)p;
    (void)size;
    (void)writing;
    *(bool *)arg = true;
    return -1;
}

static enum status read_key(struct identity *id, BIO *bio, struct err *err)
{
    bool encrypted = false;
    enum status st = STATUS_OK;
    id->key = PEM_read_bio_PrivateKey(bio, NULL, refuse_pass_phrase, &encrypted);
    if (!id->key && encrypted) {
        st = err_set(err, STATUS_CONFIG, "the key in %s needs a pass phrase", id->key_what);
        err_hint(err, "remove it with: openssl pkey -in old.pem -out new.pem");
    } else if (!id->key) {
        st = err_set(err, STATUS_CONFIG, "%s holds no private key in PEM form", id->key_what);
    } else if (X509_check_private_key(id->cert, id->key) != 1) {
        int reason = ERR_GET_REASON(ERR_peek_last_error());
        char text[256];
        tls_error_text(text, sizeof(text));
        if (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH)
            st = err_set(err, STATUS_CONFIG, "the key in %s does not belong to the certificate in %s", id->key_what,
                         id->cert_what);
        else
            st = err_set(err, STATUS_CONFIG, "the key in %s cannot be used: %s", id->key_what, text);
    }
    ERR_clear_error();
    return st;
}

/* ---- making ---- */

static void wipe(void *arg)
{
    str *bytes = arg;
    OPENSSL_cleanse((void *)(uintptr_t)bytes->p, bytes->n);
}

/* The whole file in memory, wiped when the arena is freed. */
static enum status read_pem(struct arena *a, str path, str *ret, struct err *err)
{
    str *bytes = ARENA_NEW(a, str);
    enum status st = fs_read_file(arena_cstr(a, path), LIMIT_TLS_FILE, a, bytes, err);
    if (st != STATUS_OK)
        return st;
    arena_defer(a, wipe, bytes);
    *ret = *bytes;
    return STATUS_OK;
}

static enum status make(str cert_pem, const char *cert_what, str key_pem, const char *key_what, struct identity **ret,
                        struct err *err)
{
    struct identity *id = mem_alloc(sizeof(*id));
    *id = (struct identity){.cert_what = mem_cstr(str_of(cert_what)), .key_what = mem_cstr(str_of(key_what))};
    atomic_init(&id->refs, 1);
    BIO *cert = BIO_new_mem_buf(cert_pem.n ? cert_pem.p : "", (int)cert_pem.n);
    BIO *key = BIO_new_mem_buf(key_pem.n ? key_pem.p : "", (int)key_pem.n);
    ASSERT(cert && key);
    ERR_clear_error();
    enum status st = read_chain(id, cert, err);
    if (st == STATUS_OK)
        st = read_key(id, key, err);
    BIO_free(cert);
    BIO_free(key);
    ERR_clear_error(); /* the errors told are told; what is left would confuse the next call */
    if (st == STATUS_OK)
        *ret = id;
    else
        identity_unref(id);
    return st;
}

enum status identity_from_pem(str pem, const char *what, struct identity **ret, struct err *err)
{
    return make(pem, what, pem, what, ret, err);
}

enum status identity_from_files(str cert_path, str key_path, struct identity **ret, struct err *err)
{
    struct arena *a = arena_new((size_t)LIMIT_TLS_FILE * 8);
    str cert, key;
    enum status st = read_pem(a, cert_path, &cert, err);
    if (st == STATUS_OK)
        st = read_pem(a, key_path, &key, err);
    if (st == STATUS_OK)
        st = make(cert, arena_printf(a, "'%.*s'", STR_ARG(cert_path)).p, key,
                  arena_printf(a, "'%.*s'", STR_ARG(key_path)).p, ret, err);
    arena_free(a);
    return st;
}

struct identity *identity_ref(struct identity *id)
{
    atomic_fetch_add_explicit(&id->refs, 1, memory_order_relaxed);
    return id;
}

void identity_unref(struct identity *id)
{
    if (!id || atomic_fetch_sub_explicit(&id->refs, 1, memory_order_acq_rel) != 1)
        return;
    X509_free(id->cert);
    sk_X509_pop_free(id->chain, X509_free);
    EVP_PKEY_free(id->key);
    for (size_t i = 0; i < id->name_count; i++)
        free(id->names[i]);
    free(id->names);
    free(id->cert_what);
    free(id->key_what);
    free(id);
}

/* ---- what it is ---- */

int64_t identity_begins_unix_s(const struct identity *id)
{
    return id->begins_unix_s;
}

int64_t identity_expires_unix_s(const struct identity *id)
{
    return id->expires_unix_s;
}

size_t identity_name_count(const struct identity *id)
{
    return id->name_count;
}

str identity_name(const struct identity *id, size_t i)
{
    ASSERT(i < id->name_count);
    return str_of(id->names[i]);
}

bool identity_covers(const struct identity *id, str host)
{
    size_t dot = str_find_char(host, '.');
    str above = dot == STR_NPOS ? STR("") : str_from(host, dot);
    for (size_t i = 0; i < id->name_count; i++) {
        str name = str_of(id->names[i]);
        if (str_eq(name, host) || (above.n && str_starts(name, STR("*.")) && str_eq(str_from(name, 1), above)))
            return true;
    }
    return false;
}

/* ---- showing it ---- */

bool identity_use(const struct identity *id, void *ssl)
{
    SSL_certs_clear(ssl); /* else one of another kind of key stays beside it */
    return SSL_use_cert_and_key(ssl, id->cert, id->key, id->chain, 1) == 1;
}

enum status identity_use_for_all(const struct identity *id, void *ctx, struct err *err)
{
    if (SSL_CTX_use_cert_and_key(ctx, id->cert, id->key, id->chain, 1) == 1)
        return STATUS_OK;
    char text[256];
    tls_error_text(text, sizeof(text));
    return err_set(err, STATUS_CONFIG, "the certificate in %s cannot be used: %s", id->cert_what, text);
}
