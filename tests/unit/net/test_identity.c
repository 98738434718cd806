/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that come while a server runs: which one is shown to whom, and handshakes that wait for one. The client
 * is OpenSSL's own. OpenSSL's headers come first: they use names that base/banned.h takes away. */
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "net/client_hello.h"
#include "net/identity.h"
#include "net/stream.h"
#include "test.h"

/* Certificate and key in one text. alt: "DNS:a.example,DNS:*.b.example"; NULL = none. */
static str make_pem(struct arena *a, const char *common, const char *alt)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    CHECK(key && cert);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0);
    X509_set_issuer_name(cert, name);
    if (alt) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt);
        CHECK(e && X509_add_ext(cert, e, -1) == 1);
        X509_EXTENSION_free(e);
    }
    CHECK(X509_sign(cert, key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 && PEM_write_bio_X509(bio, cert) == 1);
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    str s = arena_str(a, str_make(p, (size_t)n));
    BIO_free(bio);
    X509_free(cert);
    EVP_PKEY_free(key);
    return s;
}

static struct identity *make(struct arena *a, const char *common, const char *alt)
{
    struct identity *id = NULL;
    struct err err = ERR_INIT;
    CHECK(identity_from_pem(make_pem(a, common, alt), "test", &id, &err) == STATUS_OK);
    return id;
}

TEST(names_of_a_certificate)
{
    struct arena *a = arena_new(0);
    struct identity *id = make(a, "ignored.example", "DNS:WWW.Example.org,DNS:*.b.example,IP:192.0.2.1");
    CHECK_INT(identity_name_count(id), 2);
    CHECK_STR(identity_name(id, 0), "www.example.org");
    CHECK(identity_covers(id, STR("www.example.org")) && identity_covers(id, STR("x.b.example")));
    CHECK(identity_covers(id, STR("*.b.example")));
    CHECK(!identity_covers(id, STR("b.example")) && !identity_covers(id, STR("x.y.b.example")));
    CHECK(!identity_covers(id, STR("ignored.example")) && !identity_covers(id, STR("")));
    CHECK(identity_expires_unix_s(id) - identity_begins_unix_s(id) == 86400 + 7200);
    identity_unref(id);
    id = make(a, "Only.Example", NULL);
    CHECK(identity_name_count(id) == 1 && identity_covers(id, STR("only.example")));
    identity_unref(id);
    arena_free(a);
}

TEST(a_certificate_with_very_many_names)
{
    struct arena *a = arena_new(0);
    struct buf alt;
    buf_init(&alt, 1 << 20);
    for (int i = 0; i < LIMIT_TLS_NAMES + 5; i++)
        buf_printf(&alt, "%sDNS:h%d.example", i ? "," : "", i);
    buf_putc(&alt, 0);
    struct identity *id = make(a, "x", alt.p);
    CHECK_INT(identity_name_count(id), LIMIT_TLS_NAMES);
    identity_unref(id);
    buf_clear(&alt);
    buf_puts(&alt, STR("DNS:short.example,DNS:"));
    for (int i = 0; i <= LIMIT_TLS_NAME; i++)
        buf_putc(&alt, 'a');
    buf_putc(&alt, 0);
    id = make(a, "x", alt.p);
    CHECK_INT(identity_name_count(id), 1);
    identity_unref(id);
    buf_release(&alt);
    arena_free(a);
}

TEST(a_text_that_is_no_certificate_with_its_key)
{
    struct arena *a = arena_new(0);
    str one = make_pem(a, "a.example", NULL), two = make_pem(a, "b.example", NULL);
    size_t at = str_find(one, STR("-----BEGIN CERT")), other = str_find(two, STR("-----BEGIN CERT"));
    const struct {
        str pem;
        const char *text;
    } bad[] = {
        {STR(""), "new.pem does not begin with a certificate in PEM form"},
        {str_sub(one, 0, at), "new.pem does not begin with a certificate in PEM form"},
        {str_from(one, at), "new.pem holds no private key in PEM form"},
        {arena_printf(a, "%.*s%.*s", STR_ARG(str_sub(one, 0, at)), STR_ARG(str_from(two, other))),
         "the key in new.pem does not belong to the certificate in new.pem"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct identity *id = NULL;
        struct err err = ERR_INIT;
        CHECK(identity_from_pem(bad[i].pem, "new.pem", &id, &err) == STATUS_CONFIG && !id);
        CHECK_STR(str_of(err.text), bad[i].text);
    }
    arena_free(a);
}

/* ---- who is shown what ---- */

struct ends {
    struct stream server;
    SSL_CTX *ctx;
    SSL *client;
    int fd;
};

static void begin(struct ends *e, struct tls_server *t, const char *host, const char *alpn)
{
    int p[2];
    struct err err = ERR_INIT;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p) == 0);
    CHECK_INT(stream_init_tls(&e->server, p[0], t, &err), STATUS_OK);
    e->fd = p[1];
    e->ctx = SSL_CTX_new(TLS_client_method());
    e->client = SSL_new(e->ctx);
    CHECK(e->client && SSL_set_fd(e->client, p[1]) == 1);
    if (host)
        CHECK(SSL_set_tlsext_host_name(e->client, (char *)(uintptr_t)host) == 1);
    if (alpn)
        CHECK(SSL_set_alpn_protos(e->client, (const unsigned char *)alpn, (unsigned)strlen(alpn)) == 0);
    SSL_set_connect_state(e->client);
}

static void end(struct ends *e)
{
    stream_release(&e->server);
    SSL_free(e->client);
    SSL_CTX_free(e->ctx);
    close(e->fd);
}

static enum status shake(struct ends *e)
{
    struct err err = ERR_INIT;
    for (int i = 0; i < 20; i++) {
        int rc = SSL_do_handshake(e->client);
        enum status st = stream_handshake(&e->server, &err);
        if (st != STATUS_AGAIN && (st != STATUS_OK || rc == 1))
            return st;
        if (st == STATUS_AGAIN && stream_read_wants(&e->server) == 0)
            return STATUS_AGAIN;
    }
    return STATUS_TIMEOUT;
}

static bool shown(const struct ends *e, const char *name)
{
    X509 *cert = SSL_get1_peer_certificate(e->client);
    bool yes = cert && X509_check_host(cert, name, 0, 0, NULL) == 1;
    X509_free(cert);
    return yes;
}

static struct tls_server *bare(void)
{
    static const char *const protocols[] = {"h2", "http/1.1", NULL};
    struct tls_server *t = NULL;
    struct err err = ERR_INIT;
    CHECK_INT(tls_server_new(&(struct tls_config){.alpn = protocols}, &t, &err), STATUS_OK);
    return t;
}

TEST(the_certificate_for_the_name)
{
    struct arena *a = arena_new(0);
    struct tls_named named[] = {{STR("a.example"), make(a, "x", "DNS:a.example")},
                                {STR("*.b.example"), make(a, "x", "DNS:*.b.example")}};
    struct tls_named challenge = {STR("a.example"), make(a, "x", "DNS:challenge.example")};
    struct tls_server *empty = bare();
    struct tls_server *t = tls_server_with(
        empty, &(struct tls_more){.named = named, .named_count = 2, .challenges = &challenge, .challenge_count = 1});
    const struct {
        const char *host, *alpn, *shown, *agreed; /* shown NULL: refused */
    } rows[] = {
        {"a.example", NULL, "a.example", ""},
        {"A.Example", "\002h2", "a.example", "h2"},
        {"x.b.example", "\010http/1.1", "x.b.example", "http/1.1"},
        {"b.example", NULL, NULL, NULL},
        {"x.y.b.example", NULL, NULL, NULL},
        {NULL, NULL, NULL, NULL},
        {"a.example", "\012acme-tls/1", "challenge.example", "acme-tls/1"},
        {"a.example", "\012acme-tls/1\002h2", "a.example", "h2"},
        {"x.b.example", "\012acme-tls/1", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ends e;
        begin(&e, t, rows[i].host, rows[i].alpn);
        CHECK_INT(shake(&e), rows[i].shown ? STATUS_OK : STATUS_PROTOCOL);
        if (rows[i].shown) {
            CHECK(shown(&e, rows[i].shown));
            CHECK_STR(stream_alpn(&e.server), rows[i].agreed);
        }
        end(&e);
    }
    tls_server_unref(t);
    tls_server_unref(empty);
    identity_unref(named[0].identity);
    identity_unref(named[1].identity);
    identity_unref(challenge.identity);
    arena_free(a);
}

TEST(a_handshake_waits_for_its_certificate)
{
    struct arena *a = arena_new(0);
    struct tls_server *empty = bare(), *waits = tls_server_with(empty, &(struct tls_more){.hold = true});
    struct tls_named named = {STR("a.example"), make(a, "x", "DNS:a.example")};
    struct tls_server *has =
        tls_server_with(empty, &(struct tls_more){.named = &named, .named_count = 1, .hold = true});
    struct ends one, two, three;
    begin(&one, waits, "a.example", "\002h2");
    begin(&two, waits, "b.example", NULL);
    begin(&three, waits, NULL, NULL);
    CHECK_INT(shake(&one), STATUS_AGAIN);
    CHECK_INT(shake(&two), STATUS_AGAIN);
    CHECK_INT(shake(&three), STATUS_PROTOCOL); /* it names nothing that could be got */
    CHECK_STR(stream_awaits(&one.server), "a.example");
    CHECK_STR(stream_awaits(&two.server), "b.example");
    CHECK_INT(shake(&one), STATUS_AGAIN); /* calling again changes nothing */
    CHECK(!tls_session_use(one.server.tls, waits));
    CHECK(tls_session_use(one.server.tls, has) && tls_session_use(two.server.tls, has));
    tls_server_unref(waits); /* they may be its last users */
    CHECK_INT(shake(&one), STATUS_OK);
    CHECK(shown(&one, "a.example") && stream_awaits(&one.server).n == 0);
    CHECK_STR(stream_alpn(&one.server), "h2");
    CHECK_INT(shake(&two), STATUS_AGAIN);
    tls_session_give_up(two.server.tls);
    CHECK_INT(shake(&two), STATUS_PROTOCOL);
    end(&one);
    end(&two);
    end(&three);
    tls_server_unref(has);
    tls_server_unref(empty);
    identity_unref(named.identity);
    arena_free(a);
}

TEST(what_a_client_asks_for)
{
    char out[CLIENT_HELLO_HOST_MAX];
    const struct {
        str extension;
        const char *host;
    } rows[] = {
        {STR("\0\014\0\0\011A.Example"), "a.example"},
        {STR("\0\015\0\0\012a.example."), "a.example"},
        {STR("\0\013\0\0\011A.Example"), ""},
        {STR("\0\014\1\0\011A.Example"), ""},
        {STR("\0\014\0\0\010A.Example"), ""},
        {STR("\0\014\0\0\011192.0.2.1"), ""},
        {STR("\0\007\0\0\004a..b"), ""},
        {STR("\0\007\0\0\004a/.b"), ""},
        {STR("\0\003\0\0\0"), ""},
        {STR("\0\0"), ""},
        {STR(""), ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = client_hello_host(rows[i].extension, out);
        CHECK_STR(str_make(out, n), rows[i].host);
    }
    CHECK(client_hello_only(STR("\0\013\012acme-tls/1"), STR("acme-tls/1")));
    CHECK(!client_hello_only(STR("\0\016\012acme-tls/1\002h2"), STR("acme-tls/1")));
    CHECK(!client_hello_only(STR(""), STR("acme-tls/1")));
}
