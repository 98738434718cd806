/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_gate — the gate (net/gate.h) as a process of its own: until SIGTERM or SIGINT. */
#include <signal.h>
#include <stdio.h>

#include "cli/command.h"
#include "net/gate.h"

enum { OPT_UDS, OPT_PORT, OPT_ALLOW, OPT_CONNECTIONS, OPT_BYTES, OPT_HELP };
static const struct option options[] = {
    {"--uds", 0, OPTION_VALUE, "SOCKET", "The Unix socket to listen at, in a folder of its own", OPT_UDS},
    {"--port", 0, OPTION_VALUE, "N", "A port that may be reached (default: 80 and 443)", OPT_PORT},
    {"--allow", 0, OPTION_VALUE, "ADDRESS", "An address of this machine or network that may be reached", OPT_ALLOW},
    {"--max-connections", 0, OPTION_VALUE, "N", "At once, of one user (default 16)", OPT_CONNECTIONS},
    {"--max-bytes", 0, OPTION_VALUE, "BYTES", "In both directions, of one user in an hour (default 20000000000)",
     OPT_BYTES},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct job {
    struct arena *arena;
    struct gate_config config;
    VEC(unsigned) ports;
    VEC(struct addr) allow;
    bool help;
};

static enum status number(str text, uint64_t most, uint64_t *ret, struct err *err)
{
    if (!str_to_u64(text, ret) || !*ret || *ret > most)
        return err_set(err, STATUS_USAGE, "\"%.*s\" is no number from 1 to %llu", STR_ARG(text),
                       (unsigned long long)most);
    return STATUS_OK;
}

static enum status apply(struct job *j, int id, str value, struct err *err)
{
    struct addr address;
    uint64_t n = 0;
    enum status st = STATUS_OK;
    switch (id) {
    case OPT_UDS:
        j->config.path = value;
        break;
    case OPT_PORT:
        st = number(value, 65535, &n, err);
        if (st == STATUS_OK)
            VEC_PUSH(j->arena, &j->ports, (unsigned)n);
        break;
    case OPT_ALLOW:
        st = addr_from_host_port(value, 1, &address, err);
        if (st == STATUS_OK)
            VEC_PUSH(j->arena, &j->allow, address);
        break;
    case OPT_CONNECTIONS:
        st = number(value, 100000, &n, err);
        j->config.connections = (unsigned)n;
        break;
    case OPT_BYTES:
        st = number(value, INT64_MAX, &j->config.bytes, err);
        break;
    case OPT_HELP:
        j->help = true;
        break;
    default:
        st = err_set(err, STATUS_USAGE, "\"%.*s\": no argument is expected", STR_ARG(value));
    }
    return st;
}

static enum status run(const struct job *j, struct err *err)
{
    struct gate *gate = NULL;
    sigset_t ends;
    int signo = 0;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* before the first thread */
    enum status st = gate_new(&j->config, &gate, err);
    if (st != STATUS_OK)
        return st;
    printf("Vitrine gate at %.*s (Ctrl+C stops it)\n", STR_ARG(j->config.path));
    fflush(stdout);
    sigwait(&ends, &signo);
    gate_free(gate);
    return STATUS_OK;
}

int cmd_gate(int argc, char **argv)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    struct err err = ERR_INIT;
    struct job j = {.arena = arena_new(0), .config = {.connections = 16, .bytes = UINT64_C(20000000000)}};
    enum status st;
    str value, second;
    int id;
    while ((st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN)
        if ((st = apply(&j, id, value, &err)) != STATUS_OK)
            break;
    j.config.ports = j.ports.items;
    j.config.port_count = j.ports.count;
    j.config.allow = j.allow.items;
    j.config.allow_count = j.allow.count;
    if (st == STATUS_OK && j.help) {
        printf("Usage: vitrine gate --uds SOCKET [OPTIONS]\n\n"
               "A SOCKS5 proxy for programs in a sandbox (vitrine sandbox --gate SOCKET): it connects to public\n"
               "addresses only, not to this machine, its network or a cloud's metadata.\n\nOptions:\n");
        option_print_help(options, ARRAY_LEN(options));
    } else if (st == STATUS_OK && !j.config.path.n) {
        st = err_set(&err, STATUS_USAGE, "where shall it listen? --uds SOCKET is missing");
    } else if (st == STATUS_OK) {
        st = run(&j, &err);
    }
    arena_free(j.arena);
    return st == STATUS_OK ? 0 : command_fail(&err);
}
