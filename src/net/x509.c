/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's headers come before ours: they use names that base/banned.h takes away. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "codec/b64.h"
#include "codec/digest.h"
#include "net/x509.h"

static str bio_text(struct arena *a, BIO *bio)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    str s = arena_str(a, str_make(p, (size_t)MAX(n, 0)));
    BIO_free(bio);
    return s;
}

static EVP_PKEY *make_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    ASSERT(key != NULL);
    return key;
}

static X509_EXTENSION *alternative_name(struct arena *a, str host)
{
    X509_EXTENSION *e =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, arena_printf(a, "DNS:%.*s", STR_ARG(host)).p);
    ASSERT(e != NULL); /* the host is a name: the caller looked */
    return e;
}

void x509_request(struct arena *a, str host, str *ret_key_pem, str *ret_csr_der)
{
    EVP_PKEY *key = make_key();
    X509_REQ *req = X509_REQ_new();
    STACK_OF(X509_EXTENSION) *all = sk_X509_EXTENSION_new_null();
    unsigned char *der = NULL;
    BIO *bio = BIO_new(BIO_s_secmem());
    ASSERT(req && all && bio && sk_X509_EXTENSION_push(all, alternative_name(a, host)) > 0);
    ASSERT(X509_REQ_set_version(req, 0) == 1 && X509_REQ_set_pubkey(req, key) == 1 &&
           X509_REQ_add_extensions(req, all) == 1 && X509_REQ_sign(req, key, EVP_sha256()) > 0);
    int n = i2d_X509_REQ(req, &der);
    ASSERT(n > 0 && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    *ret_csr_der = arena_str(a, str_make((const char *)der, (size_t)n));
    *ret_key_pem = bio_text(a, bio);
    OPENSSL_free(der);
    sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
}

/* id-pe-acmeIdentifier, critical, with the digest as an OCTET STRING inside. */
static X509_EXTENSION *acme_identifier(str key_authorization)
{
    unsigned char value[2 + DIGEST_RAW_MAX] = {V_ASN1_OCTET_STRING, DIGEST_RAW_MAX};
    ASSERT(digest_sha256(key_authorization, value + 2) == DIGEST_RAW_MAX);
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    ASSERT(oid && octets && ASN1_OCTET_STRING_set(octets, value, sizeof(value)) == 1);
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, octets);
    ASSERT(e != NULL);
    ASN1_OCTET_STRING_free(octets);
    ASN1_OBJECT_free(oid);
    return e;
}

static void add(X509 *cert, X509_EXTENSION *e)
{
    ASSERT(X509_add_ext(cert, e, -1) == 1);
    X509_EXTENSION_free(e);
}

str x509_challenge(struct arena *a, str host, str key_authorization)
{
    EVP_PKEY *key = make_key();
    X509 *cert = X509_new();
    BIO *bio = BIO_new(BIO_s_secmem());
    ASSERT(cert && bio && X509_set_version(cert, 2) == 1);
    X509_NAME *name = X509_get_subject_name(cert);
    ASSERT(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -86400) && X509_gmtime_adj(X509_getm_notAfter(cert), 7 * 86400) &&
           X509_set_pubkey(cert, key) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"challenge", -1, -1, 0) == 1 &&
           X509_set_issuer_name(cert, name) == 1);
    add(cert, alternative_name(a, host));
    add(cert, acme_identifier(key_authorization));
    ASSERT(X509_sign(cert, key, EVP_sha256()) > 0);
    ASSERT(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 && PEM_write_bio_X509(bio, cert) == 1);
    X509_free(cert);
    EVP_PKEY_free(key);
    return bio_text(a, bio);
}

/* ---- what an authority gave ---- */

static int64_t to_unix_s(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* base64url of the authority key identifier, ".", base64url of the serial number as DER has it. */
static str renewal_id(struct arena *a, X509 *cert)
{
    const ASN1_OCTET_STRING *key = X509_get0_authority_key_id(cert);
    unsigned char *der = NULL;
    int n = i2d_ASN1_INTEGER(X509_get_serialNumber(cert), &der); /* two bytes of tag and length in front */
    str id = STR("");
    if (key && n > 2) {
        str k = b64url_encode(a, str_make((const char *)ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key)));
        str s = b64url_encode(a, str_make((const char *)der + 2, (size_t)n - 2));
        id = arena_printf(a, "%.*s.%.*s", STR_ARG(k), STR_ARG(s));
    }
    OPENSSL_free(der);
    return id;
}

static str issuer_text(struct arena *a, const X509 *cert)
{
    static const int parts[] = {NID_organizationName, NID_commonName};
    str text = STR("");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        char part[128];
        int n = X509_NAME_get_text_by_NID(X509_get_issuer_name(cert), parts[i], part, sizeof(part));
        if (n > 0)
            text = arena_printf(a, "%.*s%s%s", STR_ARG(text), text.n ? " " : "", part);
    }
    return text;
}

enum status x509_read(struct arena *a, str pem, struct x509_facts *ret, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(pem.n ? pem.p : "", (int)pem.n);
    ASSERT(bio != NULL);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (!cert)
        return err_set(err, STATUS_CONFIG, "there is no certificate in PEM form");
    *ret = (struct x509_facts){.begins_unix_s = to_unix_s(X509_get0_notBefore(cert)),
                               .expires_unix_s = to_unix_s(X509_get0_notAfter(cert)),
                               .renewal_id = renewal_id(a, cert),
                               .issuer = issuer_text(a, cert)};
    X509_free(cert);
    return STATUS_OK;
}
