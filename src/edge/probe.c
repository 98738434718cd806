/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/probe.h"

#include <stdio.h>

#include "http/message.h"
#include "net/proxy_header.h"

void probe_init(struct edge_probe *p, struct http_upstream *client, const struct addr *addr, str host, str path,
                void (*fn)(void *arg, bool well), void *arg)
{
    *p = (struct edge_probe){.client = client, .host = host, .path = path, .timeout_ms = 5000, .fn = fn, .arg = arg};
    p->any_answer = !path.n;
    if (!path.n)
        p->path = STR("/");
    upstream_pool_init(&p->pool, client, addr);
    buf_init(&p->in, LIMIT_EDGE_BLOCK);
    (void)snprintf(p->text, sizeof(p->text), "not asked yet");
}

void probe_release(struct edge_probe *p)
{
    if (!p->client)
        return;
    upstream_drop(p->conn);
    p->conn = NULL;
    upstream_pool_release(&p->pool);
    buf_release(&p->in);
    p->client = NULL;
}

static void end(struct edge_probe *p, bool well, const char *what)
{
    (void)snprintf(p->text, sizeof(p->text), "GET %.*s: %s", STR_ARG(str_sub(p->path, 0, 100)), what);
    upstream_drop(p->conn);
    p->conn = NULL;
    p->fn(p->arg, well);
}

static void send_request(struct edge_probe *p)
{
    struct buf out;
    uint64_t sent = 0;
    buf_init(&out, LIMIT_EDGE_READ);
    if (p->send_proxy)
        proxy_header_put(&out, p->send_proxy, STR(""), 0, NULL, false);
    buf_printf(&out,
               "GET %.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: vitrine-edge health check\r\nAccept: */*\r\n"
               "Connection: close\r\n\r\n",
               STR_ARG(p->path), STR_ARG(p->host));
    size_t n = 0;
    struct iovec iov = {out.p, out.n};
    /* A fresh connection takes a few hundred bytes at once, or something is wrong with it. */
    enum status st = stream_writev(&p->conn->stream, &iov, 1, 0, &n, NULL);
    sent = n;
    bool all = st == STATUS_OK && sent == out.n;
    buf_release(&out);
    if (!all) {
        end(p, false, "the request could not be sent");
        return;
    }
    h1_parser_init_answer(&p->parser,
                          &(struct h1_limits){LIMIT_EDGE_READ / 2, LIMIT_EDGE_BLOCK - 1, LIMIT_HTTP_HEADERS});
    buf_clear(&p->in);
    upstream_watch(p->conn, LOOP_READ);
    upstream_deadline(p->conn, p->timeout_ms);
}

static void judge(struct edge_probe *p, int status)
{
    char text[80];
    (void)snprintf(text, sizeof(text), "%d %s", status, http_reason(status));
    end(p, p->any_answer ? status < 500 : status >= 200 && status < 300, text);
}

static void receive(struct edge_probe *p)
{
    struct h1_head head;
    struct err err = ERR_INIT;
    for (;;) {
        char *to = buf_reserve(&p->in, 4096);
        size_t n = 0;
        if (!to) {
            end(p, false, "the header fields of its answer are too large");
            return;
        }
        enum status st = stream_read(&p->conn->stream, to, 4096, &n, NULL);
        if (st == STATUS_AGAIN)
            return;
        if (st != STATUS_OK) {
            end(p, false, "it ended the connection");
            return;
        }
        p->in.n += n;
        st = h1_parse_answer(&p->parser, buf_str(&p->in), p->fields, &head, &err);
        if (st == STATUS_AGAIN)
            continue;
        if (st == STATUS_OK)
            judge(p, head.status);
        else
            end(p, false, err.text);
        return;
    }
}

static void on_conn(void *owner, unsigned events)
{
    struct edge_probe *p = owner;
    char text[128];
    if (events & UPSTREAM_CONNECTED) {
        send_request(p);
    } else if (events & UPSTREAM_FAILED) {
        (void)snprintf(text, sizeof(text), "cannot connect: %s", strerrordesc_np(p->conn->error));
        end(p, false, text);
    } else if (events & UPSTREAM_EXPIRED) {
        (void)snprintf(text, sizeof(text), "no answer within %u s", p->timeout_ms / 1000);
        end(p, false, text);
    } else {
        receive(p);
    }
}

void probe_begin(struct edge_probe *p)
{
    struct err err = ERR_INIT;
    if (p->conn)
        return;
    if (upstream_take(&p->pool, true, false, on_conn, p, &p->conn, &err) != STATUS_OK) {
        p->conn = NULL;
        (void)snprintf(p->text, sizeof(p->text), "%.200s", err.text);
        p->fn(p->arg, false);
    }
}
