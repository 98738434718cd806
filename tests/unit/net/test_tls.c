/* SPDX-License-Identifier: Apache-2.0 */
/* The server side is ours, the client side is OpenSSL's own, both in one thread on a socket pair. OpenSSL's headers
 * come first: they use names that base/banned.h takes away. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/stream.h"
#include "test.h"

/* ---- certificates ---- */

static char folder[64];

static const char *path(const char *name)
{
    static char text[4][128];
    static unsigned turn;
    turn = (turn + 1) % 4;
    snprintf(text[turn], sizeof(text[0]), "%s/%s", folder, name);
    return text[turn];
}

static X509 *make_cert(EVP_PKEY *key, long valid_s)
{
    X509 *cert = X509_new();
    CHECK(cert != NULL);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
    X509_gmtime_adj(X509_getm_notAfter(cert), valid_s);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    CHECK(X509_sign(cert, key, EVP_sha256()) > 0);
    return cert;
}

static void write_pair(const char *cert_name, const char *key_name, long valid_s, bool encrypted)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    CHECK(key != NULL);
    X509 *cert = make_cert(key, valid_s);
    FILE *f = fopen(path(cert_name), "we");
    CHECK(f != NULL && PEM_write_X509(f, cert) == 1 && fclose(f) == 0);
    f = fopen(path(key_name), "we");
    unsigned char phrase[] = "secret";
    const EVP_CIPHER *cipher = encrypted ? EVP_aes_128_cbc() : NULL;
    CHECK(f != NULL && PEM_write_PrivateKey(f, key, cipher, encrypted ? phrase : NULL, 6, NULL, NULL) == 1);
    CHECK(fclose(f) == 0);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void write_text(const char *name, const char *text)
{
    FILE *f = fopen(path(name), "we");
    CHECK(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void begin(void)
{
    snprintf(folder, sizeof(folder), "/tmp/test-tls-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    write_pair("cert.pem", "key.pem", 86400, false);
}

static void finish(void)
{
    static const char *const names[] = {"cert.pem", "key.pem", "cert2.pem", "key2.pem", "text", "chain.pem", "file"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)unlink(path(names[i]));
    CHECK(rmdir(folder) == 0);
}

static struct tls_server *server_of(const char *cert, const char *key)
{
    struct tls_server *t = NULL;
    struct err err = ERR_INIT;
    struct tls_config config = {.cert_path = str_of(path(cert)), .key_path = str_of(path(key))};
    if (tls_server_new(&config, &t, &err) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    return t;
}

/* ---- both ends ---- */

struct ends {
    struct stream server;
    SSL_CTX *client_ctx;
    SSL *client;
    int client_fd;
};

static void connect_ends(struct ends *e, struct tls_server *t, SSL_CTX *ctx)
{
    int p[2];
    struct err err = ERR_INIT;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p) == 0);
    CHECK_INT(stream_init_tls(&e->server, p[0], t, &err), STATUS_OK);
    e->client_fd = p[1];
    e->client_ctx = ctx ? ctx : SSL_CTX_new(TLS_client_method());
    e->client = SSL_new(e->client_ctx);
    CHECK(e->client != NULL && SSL_set_fd(e->client, p[1]) == 1);
    SSL_set_connect_state(e->client);
}

static void drop_ends(struct ends *e, bool with_ctx)
{
    stream_release(&e->server);
    SSL_free(e->client);
    if (with_ctx)
        SSL_CTX_free(e->client_ctx);
    close(e->client_fd);
}

static enum status shake(struct ends *e, struct err *err)
{
    for (int i = 0; i < 20; i++) {
        int rc = SSL_do_handshake(e->client);
        enum status st = stream_handshake(&e->server, err);
        if (st != STATUS_AGAIN && (st != STATUS_OK || rc == 1))
            return st;
    }
    return STATUS_AGAIN;
}

static void shake_well(struct ends *e)
{
    struct err err = ERR_INIT;
    enum status st = shake(e, &err);
    if (st != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", status_name(st), err.text);
}

static void say(struct ends *e, const char *text)
{
    struct err err = ERR_INIT;
    struct iovec iov = {(char *)(uintptr_t)text, strlen(text)};
    size_t n;
    CHECK_INT(stream_writev(&e->server, &iov, 1, 0, &n, &err), STATUS_OK);
    CHECK_INT(n, strlen(text));
}

static void hear(struct ends *e, const char *want)
{
    char text[100];
    int n = SSL_read(e->client, text, sizeof(text));
    CHECK(n > 0);
    CHECK_STR(str_make(text, (size_t)n), want);
}

TEST(a_handshake_agrees_on_version_and_protocol)
{
    begin();
    struct tls_server *t = server_of("cert.pem", "key.pem");
    int64_t left = tls_server_expires_unix_s(t) - clock_unix_s();
    CHECK(left > 86000 && left <= 86400);
    struct ends e;
    struct err err = ERR_INIT;
    connect_ends(&e, t, NULL);
    static const unsigned char offer[] = "\x02h2\x08http/1.1";
    CHECK(SSL_set_alpn_protos(e.client, offer, sizeof(offer) - 1) == 0);
    CHECK_INT(stream_handshake(&e.server, &err), STATUS_AGAIN);
    CHECK_INT(stream_read_wants(&e.server), LOOP_READ);
    shake_well(&e);
    CHECK_STRS(stream_alpn(&e.server), STR("http/1.1"));
    CHECK_STR(str_of(stream_tls_version(&e.server)), "TLSv1.3");
    CHECK(stream_is_tls(&e.server));
    say(&e, "hello");
    hear(&e, "hello");
    drop_ends(&e, true);
    tls_server_unref(t);
    finish();
}

TEST(reading_a_part_leaves_the_rest_pending)
{
    begin();
    struct tls_server *t = server_of("cert.pem", "key.pem");
    struct ends e;
    struct err err = ERR_INIT;
    char text[10];
    size_t n;
    connect_ends(&e, t, NULL);
    shake_well(&e);
    CHECK_INT(SSL_write(e.client, "abcdef", 6), 6);
    CHECK_INT(SSL_write(e.client, "gh", 2), 2);
    CHECK_INT(stream_read(&e.server, text, 4, &n, &err), STATUS_OK);
    CHECK_STR(str_make(text, n), "abcd");
    CHECK(stream_pending(&e.server)); /* epoll would say nothing */
    CHECK_INT(stream_read(&e.server, text, 4, &n, &err), STATUS_OK);
    CHECK_STR(str_make(text, n), "ef");
    CHECK_INT(stream_read(&e.server, text, 4, &n, &err), STATUS_OK);
    CHECK_STR(str_make(text, n), "gh");
    CHECK(!stream_pending(&e.server));
    CHECK_INT(stream_read(&e.server, text, 4, &n, &err), STATUS_AGAIN);
    drop_ends(&e, true);
    tls_server_unref(t);
    finish();
}

enum { BIG = 3 * 1024 * 1024 + 77 };
static unsigned char big[BIG], got[BIG];

static size_t drain(struct ends *e, size_t have, size_t most)
{
    int n;
    while (most > 0 && (n = SSL_read(e->client, got + have, (int)MIN(sizeof(got) - have, most))) > 0) {
        have += (size_t)n;
        most -= (size_t)n;
        if (have == sizeof(got))
            break;
    }
    return have;
}

/* Odd pieces, from empty to larger than a record; a slow reader, so that records get stuck half-way again and again. */
TEST(large_answers_survive_a_full_socket)
{
    begin();
    struct tls_server *t = server_of("cert.pem", "key.pem");
    struct ends e;
    struct err err = ERR_INIT;
    for (size_t i = 0; i < BIG; i++)
        big[i] = (unsigned char)(i * 2654435761u >> 13);
    connect_ends(&e, t, NULL);
    shake_well(&e);
    static const size_t sizes[] = {100, 0, 16384, 1, 70000, 5000, 0, 16385};
    size_t sent = 0, have = 0;
    int again = 0;
    while (have < BIG) {
        struct iovec iov[8];
        int count = 0;
        for (size_t at = sent; count < 8 && at < BIG; count++) {
            iov[count] = (struct iovec){big + at, MIN(sizes[count], BIG - at)};
            at += iov[count].iov_len;
        }
        size_t n = 0;
        enum status st = sent < BIG ? stream_writev(&e.server, iov, count, 0, &n, &err) : STATUS_AGAIN;
        CHECK(st == STATUS_OK || st == STATUS_AGAIN);
        sent += n;
        if (st == STATUS_AGAIN) {
            CHECK_INT(stream_write_wants(&e.server), LOOP_WRITE);
            again++;
            have = drain(&e, have, 30000);
        }
    }
    CHECK(again > 10);
    CHECK(memcmp(big, got, BIG) == 0);
    drop_ends(&e, true);
    tls_server_unref(t);
    finish();
}

TEST(files_go_through_tls)
{
    begin();
    struct tls_server *t = server_of("cert.pem", "key.pem");
    struct ends e;
    struct err err = ERR_INIT;
    for (size_t i = 0; i < BIG; i++)
        big[i] = (unsigned char)(i * 2654435761u >> 15);
    FILE *f = fopen(path("file"), "w+e");
    CHECK(f != NULL && fwrite(big, 1, BIG, f) == BIG && fflush(f) == 0);
    connect_ends(&e, t, NULL);
    shake_well(&e);
    size_t sent = 0, have = 0, n;
    while (have < BIG) {
        n = 0;
        enum status st =
            sent < BIG ? stream_sendfile(&e.server, fileno(f), (off_t)sent, BIG - sent, &n, &err) : STATUS_AGAIN;
        CHECK(st == STATUS_OK || st == STATUS_AGAIN);
        sent += n;
        if (st == STATUS_AGAIN)
            have = drain(&e, have, 100000);
    }
    CHECK(memcmp(big, got, BIG) == 0);
    CHECK_INT(stream_sendfile(&e.server, fileno(f), BIG - 10, 20, &n, &err), STATUS_CORRUPT);
    CHECK(fclose(f) == 0);
    drop_ends(&e, true);
    tls_server_unref(t);
    finish();
}

TEST(closing_is_orderly_in_both_directions)
{
    begin();
    struct tls_server *t = server_of("cert.pem", "key.pem");
    struct ends e;
    struct err err = ERR_INIT;
    char text[10];
    size_t n;
    connect_ends(&e, t, NULL);
    shake_well(&e);
    CHECK_INT(stream_shutdown(&e.server, &err), STATUS_OK);
    int rc = SSL_read(e.client, text, sizeof(text));
    CHECK_INT(SSL_get_error(e.client, rc), SSL_ERROR_ZERO_RETURN); /* close_notify, not a cut */
    SSL_shutdown(e.client);
    CHECK_INT(stream_read(&e.server, text, sizeof(text), &n, &err), STATUS_CLOSED);
    drop_ends(&e, true);

    connect_ends(&e, t, NULL);
    shake_well(&e);
    CHECK(shutdown(e.client_fd, SHUT_WR) == 0); /* without close_notify */
    CHECK_INT(stream_read(&e.server, text, sizeof(text), &n, &err), STATUS_CLOSED);
    drop_ends(&e, true);

    connect_ends(&e, t, NULL);
    CHECK(shutdown(e.client_fd, SHUT_RDWR) == 0); /* in the middle of the handshake */
    CHECK_INT(stream_handshake(&e.server, &err), STATUS_CLOSED);
    CHECK_INT(stream_shutdown(&e.server, &err), STATUS_OK);
    drop_ends(&e, true);
    tls_server_unref(t);
    finish();
}

TEST(plain_http_old_versions_and_foreign_protocols_are_refused)
{
    begin();
    struct tls_server *t = server_of("cert.pem", "key.pem");
    struct ends e;
    struct err err = ERR_INIT;
    connect_ends(&e, t, NULL);
    CHECK_INT(write(e.client_fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    CHECK_INT(stream_handshake(&e.server, &err), STATUS_PROTOCOL);
    CHECK(strstr(err.text, "http request") != NULL);
    drop_ends(&e, true);

    connect_ends(&e, t, NULL);
    SSL_set_min_proto_version(e.client, TLS1_VERSION);
    SSL_set_max_proto_version(e.client, TLS1_1_VERSION);
    SSL_set_security_level(e.client, 0);
    SSL_set_cipher_list(e.client, "ALL:@SECLEVEL=0");
    CHECK_INT(shake(&e, &err), STATUS_PROTOCOL);
    CHECK(strstr(err.text, "unsupported protocol") != NULL);
    drop_ends(&e, true);

    connect_ends(&e, t, NULL);
    CHECK(SSL_set_alpn_protos(e.client, (const unsigned char *)"\x02h2", 3) == 0);
    CHECK_INT(shake(&e, &err), STATUS_PROTOCOL);
    drop_ends(&e, true);

    connect_ends(&e, t, NULL);
    SSL_set_max_proto_version(e.client, TLS1_2_VERSION);
    shake_well(&e);
    CHECK_STR(str_of(stream_tls_version(&e.server)), "TLSv1.2");
    drop_ends(&e, true);
    tls_server_unref(t);
    finish();
}

TEST(a_second_visit_resumes_by_ticket)
{
    begin();
    struct tls_server *t = server_of("cert.pem", "key.pem");
    struct ends e;
    connect_ends(&e, t, NULL);
    SSL_CTX *ctx = e.client_ctx;
    shake_well(&e);
    say(&e, "x");
    hear(&e, "x"); /* the ticket came with it */
    SSL_SESSION *session = SSL_get1_session(e.client);
    CHECK(session != NULL && SSL_SESSION_is_resumable(session));
    SSL_shutdown(e.client);
    drop_ends(&e, false);
    connect_ends(&e, t, ctx);
    CHECK(SSL_set_session(e.client, session) == 1);
    shake_well(&e);
    CHECK(SSL_session_reused(e.client));
    SSL_SESSION_free(session);
    drop_ends(&e, true);
    tls_server_unref(t);
    finish();
}

static bool same_cert(struct ends *e, const char *name)
{
    FILE *f = fopen(path(name), "re");
    CHECK(f != NULL);
    X509 *file = PEM_read_X509(f, NULL, NULL, NULL), *peer = SSL_get1_peer_certificate(e->client);
    CHECK(file != NULL && peer != NULL && fclose(f) == 0);
    bool same = X509_cmp(file, peer) == 0;
    X509_free(file);
    X509_free(peer);
    return same;
}

TEST(a_new_certificate_serves_new_connections_only)
{
    begin();
    write_pair("cert2.pem", "key2.pem", 86400, false);
    struct tls_server *t = server_of("cert.pem", "key.pem");
    struct ends old, new;
    connect_ends(&old, t, NULL); /* its handshake comes after the swap */
    tls_server_unref(t);
    t = server_of("cert2.pem", "key2.pem");
    connect_ends(&new, t, NULL);
    tls_server_unref(t);
    CHECK(SSL_set_alpn_protos(old.client, (const unsigned char *)"\x08http/1.1", 9) == 0);
    shake_well(&old);
    shake_well(&new);
    CHECK(same_cert(&old, "cert.pem") && same_cert(&new, "cert2.pem"));
    say(&old, "old");
    hear(&old, "old");
    drop_ends(&old, true);
    drop_ends(&new, true);
    finish();
}

static void check_refused(const char *cert, const char *key, enum status want, const char *file, const char *why)
{
    struct tls_server *t = NULL;
    struct err err = ERR_INIT;
    struct tls_config config = {.cert_path = str_of(path(cert)), .key_path = str_of(path(key))};
    CHECK_INT(tls_server_new(&config, &t, &err), want);
    CHECK(t == NULL);
    if (!strstr(err.text, path(file)) || !strstr(err.text, why))
        test_fail(__FILE__, __LINE__, "not about %s, %s: %s", file, why, err.text);
    CHECK_INT(ERR_peek_error(), 0); /* nothing left to confuse the next call */
}

TEST(wrong_files_are_named_with_the_reason)
{
    begin();
    write_pair("cert2.pem", "key2.pem", 86400, true);
    write_text("text", "hello\n");
    check_refused("none.pem", "key.pem", STATUS_NOT_FOUND, "none.pem", "cannot open");
    check_refused("cert.pem", "none.pem", STATUS_NOT_FOUND, "none.pem", "cannot open");
    check_refused("text", "key.pem", STATUS_CONFIG, "text", "certificate in PEM");
    check_refused("key.pem", "key.pem", STATUS_CONFIG, "key.pem", "certificate in PEM");
    check_refused("cert.pem", "text", STATUS_CONFIG, "text", "no private key");
    check_refused("cert.pem", "cert.pem", STATUS_CONFIG, "cert.pem", "no private key");
    check_refused("cert2.pem", "key2.pem", STATUS_CONFIG, "key2.pem", "pass phrase");
    check_refused("cert2.pem", "key.pem", STATUS_CONFIG, "key.pem", "does not belong");
    check_refused("", "key.pem", STATUS_INVALID, "", "");
    if (geteuid() != 0) {
        CHECK(chmod(path("key.pem"), 0) == 0);
        check_refused("cert.pem", "key.pem", STATUS_FORBIDDEN, "key.pem", "");
    }
    finish();
}

TEST(a_chain_is_sent_and_a_damaged_one_refused)
{
    begin();
    write_pair("cert2.pem", "key2.pem", 86400, false);
    char text[20000] = "";
    static const char *const names[] = {"cert.pem", "cert2.pem"};
    for (size_t i = 0; i < 2; i++) {
        FILE *f = fopen(path(names[i]), "re");
        CHECK(f != NULL);
        size_t n = strlen(text);
        n += fread(text + n, 1, sizeof(text) / 2 - 1, f);
        text[n] = '\0';
        CHECK(fclose(f) == 0);
    }
    write_text("chain.pem", text);
    struct tls_server *t = server_of("chain.pem", "key.pem");
    struct ends e;
    connect_ends(&e, t, NULL);
    shake_well(&e);
    CHECK_INT(sk_X509_num(SSL_get_peer_cert_chain(e.client)), 2);
    drop_ends(&e, true);
    tls_server_unref(t);
    char *second = strstr(text + 30, "-----BEGIN");
    CHECK(second != NULL);
    memset(second + 40, '!', 20);
    write_text("chain.pem", text);
    check_refused("chain.pem", "key.pem", STATUS_CONFIG, "chain.pem", "damaged");
    finish();
}

TEST(an_expired_certificate_is_used_and_logged)
{
    begin();
    int p[2];
    CHECK(pipe(p) == 0);
    log_setup(LOG_INFO, LOG_TEXT, p[1]);
    write_pair("cert2.pem", "key2.pem", -3600, false);
    struct tls_server *t = server_of("cert2.pem", "key2.pem");
    char text[1000];
    ssize_t n = read(p[0], text, sizeof(text) - 1);
    CHECK(n > 0);
    text[n] = '\0';
    CHECK(strstr(text, "cert2.pem") != NULL && strstr(text, "expired") != NULL);
    log_setup(LOG_INFO, LOG_TEXT, 2);
    close(p[0]), close(p[1]);
    tls_server_unref(t);
    finish();
}
