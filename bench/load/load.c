/* SPDX-License-Identifier: Apache-2.0 */
/* load: asks one server for one resource over N kept connections and measures the answers.
 *
 *   load [-c CONNECTIONS] [-d SECONDS] [-n REQUESTS] [-w WARM_UP_SECONDS] [-r REQUESTS_A_SECOND] [-a] [-x FIELD]
 *        HOST:PORT TARGET
 *
 * Prints one JSON object. Closed loop: each connection has one request under way. With -r the requests are due at fixed
 * times and a time is measured from the moment the request was due, so that a stall is paid by all who would have come
 * in it (no coordinated omission). One thread, epoll, no allocation after the start.
 *
 * An answer counts only if its status is 200 and its decoded length is that of the first answer (give or take -t
 * bytes, for bodies that tell their own duration); anything else is an error and the exit status is 1. With -a every
 * answer counts and the statuses are told apart. {n} in TARGET is another number for each request; -x adds a header
 * field. Times go into log-linear buckets: 64 a power of two, so a percentile is exact to 1.6 %. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 20000, HEAD_MAX = 16384, READ_SIZE = 256 * 1024, BUCKETS = 64 * 40 };

enum phase { HEAD, SIZED, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, TO_CLOSE };

struct connection {
    int fd;
    enum phase phase;
    bool busy;
    bool in_extension; /* behind ';' of a chunk size */
    int status;
    uint64_t left, length; /* body bytes still to come of this piece, and seen so far */
    int64_t began, due;    /* ns, monotonic */
    size_t head_n, line_n;
    char head[HEAD_MAX];
};

static struct {
    struct sockaddr_in to;
    char request[4096];
    size_t request_n;
    struct connection *connections;
    int connection_count, epoll;
    int64_t interval; /* ns between the requests of one connection; 0: at once */
    int64_t measure_from, end;
    uint64_t wanted; /* requests; 0: until the time is over */
    uint64_t sent, done, errors, body_bytes, tolerance;
    bool length_known;
    uint64_t length;
    int64_t max;
    uint64_t buckets[BUCKETS];
    char first_error[200];
    bool any;                       /* every status counts */
    const char *field;              /* one more header field */
    unsigned long long statuses[6]; /* by first digit */
} g;

static char read_buffer[READ_SIZE];

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void note_error(const char *what, int64_t number)
{
    g.errors++;
    if (!g.first_error[0])
        snprintf(g.first_error, sizeof(g.first_error), "%s %lld", what, (long long)number);
}

static unsigned bucket_of(int64_t ns)
{
    uint64_t v = ns < 64 ? 64 : (uint64_t)ns;
    unsigned top = 63u - (unsigned)__builtin_clzll(v); /* >= 6 */
    unsigned at = (top - 6) * 64 + (unsigned)((v >> (top - 6)) & 63);
    return at < BUCKETS ? at : BUCKETS - 1;
}

static double bucket_us(unsigned at)
{
    return (double)((64ULL + (at & 63)) << (at / 64)) / 1000.0;
}

static double percentile_us(double part)
{
    uint64_t want = (uint64_t)((double)g.done * part), seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += g.buckets[i];
        if (seen > want)
            return bucket_us(i);
    }
    return (double)g.max / 1000.0;
}

static void connection_open(struct connection *c)
{
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket");
    if (connect(c->fd, (const struct sockaddr *)&g.to, sizeof(g.to)))
        die("connect");
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(g.epoll, EPOLL_CTL_ADD, c->fd, &event))
        die("epoll_ctl");
}

/* The request, with {n} replaced. */
static size_t compose(char *out, size_t size)
{
    const char *mark = strstr(g.request, "{n}");
    if (!mark)
        return 0;
    int n = snprintf(out, size, "%.*s%llu%s", (int)(mark - g.request), g.request, (unsigned long long)g.sent, mark + 3);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

static void connection_send(struct connection *c, int64_t now)
{
    c->began = g.interval ? c->due : now;
    c->phase = HEAD;
    c->head_n = c->line_n = 0;
    c->length = c->left = 0;
    c->busy = true;
    g.sent++;
    char own[sizeof(g.request) + 32];
    size_t n = compose(own, sizeof(own));
    const char *request = n ? own : g.request;
    n = n ? n : g.request_n;
    if (send(c->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n)
        note_error("send failed, errno", errno);
}

static bool more_wanted(int64_t now)
{
    return g.wanted ? g.sent < g.wanted : now < g.end;
}

static void connection_done(struct connection *c)
{
    int64_t now = now_ns();
    c->busy = false;
    if (!g.length_known) {
        g.length_known = true;
        g.length = c->length;
    }
    uint64_t off = c->length > g.length ? c->length - g.length : g.length - c->length;
    if (g.any)
        g.statuses[c->status >= 100 && c->status < 600 ? c->status / 100 : 0]++;
    if (!g.any && c->status != 200)
        note_error("status", c->status);
    else if (!g.any && off > g.tolerance)
        note_error("length", (int64_t)c->length);
    else if (now >= g.measure_from) {
        int64_t took = now - c->began;
        g.buckets[bucket_of(took)]++;
        g.done++;
        g.body_bytes += c->length;
        if (took > g.max)
            g.max = took;
    }
    if (g.interval)
        c->due += g.interval;
    else if (more_wanted(now))
        connection_send(c, now);
}

/* What the head says of the body. */
static void head_done(struct connection *c)
{
    c->head[c->head_n] = 0;
    c->status = c->head_n > 12 ? (int)strtol(c->head + 9, NULL, 10) : 0;
    const char *length = strcasestr(c->head, "\r\ncontent-length:");
    const char *coding = strcasestr(c->head, "\r\ntransfer-encoding:");
    if (coding) {
        c->phase = CHUNK_SIZE;
        c->in_extension = false;
        c->left = 0;
    } else if (length) {
        c->phase = SIZED;
        c->left = strtoull(length + 17, NULL, 10);
        if (!c->left)
            connection_done(c);
    } else {
        c->phase = TO_CLOSE;
        note_error("no length in an answer with status", c->status);
    }
}

/* Returns how many of the bytes belong to the head; 0: it is too long. */
static size_t head_take(struct connection *c, const char *p, size_t n)
{
    size_t old = c->head_n, room = HEAD_MAX - 1 - old, from = old < 3 ? 0 : old - 3;
    n = n < room ? n : room;
    memcpy(c->head + old, p, n);
    const char *end = memmem(c->head + from, old + n - from, "\r\n\r\n", 4);
    c->head_n = end ? (size_t)(end + 4 - c->head) : old + n;
    n = c->head_n - old;
    if (end)
        head_done(c);
    return n;
}

static void chunk_size_byte(struct connection *c, char byte)
{
    if (byte == '\n') {
        c->phase = c->left ? CHUNK_DATA : TRAILER;
        c->line_n = 0;
    } else if (byte == ';') {
        c->in_extension = true;
    } else if (!c->in_extension && byte != '\r') {
        int low = byte | 32;
        c->left = c->left * 16 + (uint64_t)(low <= '9' ? byte - '0' : low - 'a' + 10);
    }
}

static void connection_take(struct connection *c, const char *p, size_t n)
{
    while (n) {
        size_t step = 1;
        if (!c->busy) {
            note_error("bytes behind the answer:", (int64_t)n);
            return;
        }
        switch (c->phase) {
        case HEAD:
            step = head_take(c, p, n);
            if (!step) {
                note_error("head longer than", HEAD_MAX);
                return;
            }
            break;
        case SIZED:
        case CHUNK_DATA:
            step = n < c->left ? n : (size_t)c->left;
            c->left -= step;
            c->length += step;
            if (!c->left && c->phase == SIZED)
                connection_done(c);
            else if (!c->left)
                c->phase = CHUNK_END;
            break;
        case CHUNK_SIZE:
            chunk_size_byte(c, *p);
            break;
        case CHUNK_END:
            if (*p == '\n') {
                c->phase = CHUNK_SIZE;
                c->in_extension = false;
            }
            break;
        case TRAILER:
            if (*p == '\n' && c->line_n == 0)
                connection_done(c);
            else if (*p == '\n')
                c->line_n = 0;
            else if (*p != '\r')
                c->line_n++;
            break;
        case TO_CLOSE:
            step = n;
            c->length += n;
            break;
        }
        p += step;
        n -= step;
    }
}

static void connection_readable(struct connection *c)
{
    ssize_t got = recv(c->fd, read_buffer, sizeof(read_buffer), MSG_DONTWAIT);
    if (got > 0) {
        connection_take(c, read_buffer, (size_t)got);
        return;
    }
    if (got < 0 && errno == EAGAIN)
        return;
    note_error("the server closed the connection, errno", got < 0 ? errno : 0);
    close(c->fd);
    c->busy = false;
    connection_open(c);
    c->due = now_ns();
    if (!g.interval && more_wanted(c->due))
        connection_send(c, c->due);
}

/* Sends what is due (-r only); returns ns until the next is due. */
static int64_t send_due(int64_t now)
{
    int64_t next = now + 100000000;
    for (int i = 0; i < g.connection_count; i++) {
        struct connection *c = &g.connections[i];
        if (!c->busy && c->due <= now && more_wanted(now))
            connection_send(c, now);
        if (!c->busy && c->due < next)
            next = c->due;
    }
    return next > now ? next - now : 0;
}

static void run(void)
{
    struct epoll_event events[256];
    for (;;) {
        int64_t now = now_ns(), wait = 100000000;
        if (g.interval)
            wait = send_due(now);
        bool busy = false;
        for (int i = 0; i < g.connection_count && !busy; i++)
            busy = g.connections[i].busy;
        if (!more_wanted(now) && (!busy || now > g.end + 10000000000LL))
            return;
        struct timespec limit = {wait / 1000000000, wait % 1000000000};
        int n = epoll_pwait2(g.epoll, events, 256, &limit, NULL);
        if (n < 0 && errno != EINTR)
            die("epoll_pwait2");
        for (int i = 0; i < n; i++)
            connection_readable(events[i].data.ptr);
        if (g.errors > 1000)
            return;
    }
}

static void usage(void)
{
    fputs("usage: load [-c CONNECTIONS] [-d SECONDS] [-n REQUESTS] [-w WARM_UP_SECONDS] [-r REQUESTS_A_SECOND]\n"
          "            [-t BYTES] [-a] [-x FIELD] HOST:PORT TARGET\n",
          stderr);
    exit(64);
}

static void prepare(const char *address, const char *target)
{
    char host[64];
    const char *colon = strrchr(address, ':');
    if (!colon || (size_t)(colon - address) >= sizeof(host))
        usage();
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = 0;
    g.to.sin_family = AF_INET;
    g.to.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &g.to.sin_addr) != 1)
        usage();
    int n = snprintf(g.request, sizeof(g.request),
                     "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: load\r\nAccept: */*\r\n%s%s\r\n", target, address,
                     g.field ? g.field : "", g.field ? "\r\n" : "");
    if (n < 0 || (size_t)n >= sizeof(g.request))
        usage();
    g.request_n = (size_t)n;
    g.epoll = epoll_create1(EPOLL_CLOEXEC);
    g.connections = calloc((size_t)g.connection_count, sizeof(*g.connections));
    if (g.epoll < 0 || !g.connections)
        die("start");
    for (int i = 0; i < g.connection_count; i++)
        connection_open(&g.connections[i]);
}

static void report(int64_t began)
{
    double seconds = (double)(now_ns() - (began > g.measure_from ? began : g.measure_from)) / 1e9;
    printf(
        "{\"requests\": %llu, \"seconds\": %.3f, \"rps\": %.1f, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, "
        "\"max_us\": %.1f, \"length\": %llu, \"errors\": %llu, \"first_error\": \"%s\", "
        "\"statuses\": [%llu, %llu, %llu, %llu, %llu, %llu]}\n",
        (unsigned long long)g.done, seconds, (double)g.done / seconds, percentile_us(0.5), percentile_us(0.9),
        percentile_us(0.99), (double)g.max / 1000.0, (unsigned long long)g.length, (unsigned long long)g.errors,
        g.first_error, g.statuses[0], g.statuses[1], g.statuses[2], g.statuses[3], g.statuses[4], g.statuses[5]);
}

int main(int argc, char **argv)
{
    double seconds = 2, warm_up = 0, rate = 0;
    int option;
    g.connection_count = 16;
    while ((option = getopt(argc, argv, "c:d:n:w:r:t:ax:")) != -1) {
        switch (option) {
        case 'c':
            g.connection_count = (int)strtol(optarg, NULL, 10);
            break;
        case 'd':
            seconds = strtod(optarg, NULL);
            break;
        case 'n':
            g.wanted = strtoull(optarg, NULL, 10);
            break;
        case 'w':
            warm_up = strtod(optarg, NULL);
            break;
        case 'r':
            rate = strtod(optarg, NULL);
            break;
        case 'a':
            g.any = true;
            break;
        case 'x':
            g.field = optarg;
            break;
        case 't':
            g.tolerance = strtoull(optarg, NULL, 10);
            break;
        default:
            usage();
        }
    }
    if (argc - optind != 2 || g.connection_count < 1 || g.connection_count > CONNECTIONS_MAX)
        usage();
    prepare(argv[optind], argv[optind + 1]);
    int64_t began = now_ns();
    g.measure_from = began + (int64_t)(warm_up * 1e9);
    g.end = g.measure_from + (int64_t)(seconds * 1e9);
    g.interval = rate > 0 ? (int64_t)(1e9 * g.connection_count / rate) : 0;
    for (int i = 0; i < g.connection_count; i++) {
        g.connections[i].due = began + (g.interval ? g.interval * i / g.connection_count : 0);
        if (!g.interval && more_wanted(began))
            connection_send(&g.connections[i], began);
    }
    run();
    report(began);
    return g.errors || !g.done ? 1 : 0;
}
