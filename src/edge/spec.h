/* SPDX-License-Identifier: Apache-2.0 */
/* spec: what an app is to be, as `vitrine deploy`, edge.yaml and the state file say it: one table of fields for all. */
#ifndef VITRINE_EDGE_SPEC_H
#define VITRINE_EDGE_SPEC_H

#include "base/limits.h"
#include "codec/value.h"

struct edge_spec { /* all text lives in the arena it was read into */
    str name;
    struct value hosts;  /* LIST of STR; empty: any host */
    str path;            /* "/" */
    bool strip;          /* the app does not see the path */
    str run;             /* shell command with {port} or {socket}; "" = elsewhere: to */
    struct value to;     /* LIST of STR: "127.0.0.1:3000", "unix:/run/app.sock" */
    str folder;          /* where `run` starts */
    struct value env;    /* DICT of STR */
    str health;          /* path that must answer 2xx; "" = any answer below 500 to / */
    int64_t replicas;    /* of run */
    int64_t deploy_ms;   /* until all are healthy */
    int64_t drain_ms;    /* requests in hand of the old version; then they are cut */
    int64_t stop_ms;     /* from SIGTERM to SIGKILL */
    int64_t answer_ms;   /* end of request to first byte of the answer; then 504 */
    int64_t hold_ms;     /* a request waits so long for an instance; then 503 */
    int64_t hold_max;    /* requests that wait; more: 503 */
    int64_t hold_rate;   /* let out per second after a pause; 0 = at once */
    int64_t sleep_ms;    /* nothing was asked for so long: its processes end until somebody does; 0 = never */
    int64_t in_hand_max; /* requests that its instances have at once, of all together; more wait. 0 = any number */
    int64_t rate,
        burst;      /* requests a second, and how many of them at once; more: 429. 0 = any number; as many as rate */
    str spool;      /* "off": bodies are not kept; "" or "on": large ones are, on disk, to be sent again */
    str send_proxy; /* "v1", "v2": connections to it begin with the PROXY protocol; "" or "off": they do not */
    str redirect;   /* instead of run and to: "https://www.example.com" */
    int64_t redirect_status;
};
/* Reads a DICT whose keys are the names of the fields (durations in seconds: "drain_seconds"); absent ones get their
 * defaults; unknown ones are refused. Everything is copied into `a`. INVALID names the field and what it may be. */
enum status edge_spec_read(struct arena *a, struct value v, struct edge_spec *ret, struct err *err) MUST_USE;
/* The same; of a mistake that one field is to blame for, *ret_field is its name, else "". */
enum status edge_spec_read_at(struct arena *a, struct value v, struct edge_spec *ret, str *ret_field,
                              struct err *err) MUST_USE;
struct value edge_spec_value(struct arena *a, const struct edge_spec *s); /* what edge_spec_read reads; no defaults */
void edge_spec_copy(struct arena *a, const struct edge_spec *s, struct edge_spec *ret);
unsigned edge_spec_proxy_version(const struct edge_spec *s); /* of the PROXY protocol to it: 0 = none, 1, 2 */
bool edge_spec_equal(const struct edge_spec *a, const struct edge_spec *b);

/* For help and documentation: name and meaning of every field. */
struct edge_field {
    const char *name;
    const char *help;
};
size_t edge_spec_fields(struct edge_field *ret, size_t room);

#endif
