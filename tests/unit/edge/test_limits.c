/* SPDX-License-Identifier: Apache-2.0 */
/* What an app of the edge may be at most. */
#include "base/limits.h"
#include "edge/model.h"
#include "edge/spec.h"
#include "test.h"

static char *filled(struct arena *a, size_t n, const char *before)
{
    char *text = arena_alloc_raw(a, n + 1);
    memset(text, 'a', n);
    memcpy(text, before, strlen(before));
    text[n] = '\0';
    return text;
}

TEST(hosts_and_paths)
{
    struct arena *a = arena_new(0);
    CHECK_INT(edge_host_check(str_of(filled(a, LIMIT_EDGE_HOST, "a")), NULL), STATUS_OK);
    CHECK_INT(edge_host_check(str_of(filled(a, LIMIT_EDGE_HOST + 1, "a")), NULL), STATUS_INVALID);
    CHECK_INT(edge_path_check(str_of(filled(a, LIMIT_EDGE_PATH, "/")), NULL), STATUS_OK);
    CHECK_INT(edge_path_check(str_of(filled(a, LIMIT_EDGE_PATH + 1, "/")), NULL), STATUS_INVALID);
    arena_free(a);
}

static enum status with(struct arena *a, const char *field, str value, const char *part)
{
    struct value v;
    struct edge_spec s;
    struct err err = ERR_INIT;
    str json = arena_printf(a, "{\"name\": \"w\", \"%s\": %.*s%s}", field, STR_ARG(value),
                            strcmp(field, "run") ? ", \"to\": \":80\"" : "");
    CHECK_INT(value_from_json(a, json, &v, &err), STATUS_OK);
    enum status st = edge_spec_read(a, v, &s, &err);
    if (st != STATUS_OK && !strstr(err.text, part))
        test_fail(__FILE__, __LINE__, "%s: %s", field, err.text);
    return st;
}

static str list(struct arena *a, int count, const char *open, const char *item, const char *close)
{
    struct buf b;
    buf_init(&b, 64u << 20);
    buf_puts(&b, str_of(open));
    for (int i = 0; i < count; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s\"%s%d\"%s", i ? ", " : "", item, i, *open == '{' ? ": \"1\"" : "");
        buf_puts(&b, str_of(text));
    }
    buf_puts(&b, str_of(close));
    str out = arena_str(a, buf_str(&b));
    buf_release(&b);
    return out;
}

TEST(hosts_variables_replicas_and_commands)
{
    struct arena *a = arena_new(0);
    CHECK_INT(with(a, "host", list(a, LIMIT_EDGE_HOSTS, "[", "h", "]"), ""), STATUS_OK);
    CHECK_INT(with(a, "host", list(a, LIMIT_EDGE_HOSTS + 1, "[", "h", "]"), "too many"), STATUS_INVALID);
    CHECK_INT(with(a, "env", list(a, LIMIT_EDGE_ENV, "{", "N", "}"), ""), STATUS_OK);
    CHECK_INT(with(a, "env", list(a, LIMIT_EDGE_ENV + 1, "{", "N", "}"), "too many"), STATUS_INVALID);
    CHECK_INT(with(a, "replicas", arena_printf(a, "%d", LIMIT_EDGE_REPLICAS), ""), STATUS_OK);
    CHECK_INT(with(a, "replicas", arena_printf(a, "%d", LIMIT_EDGE_REPLICAS + 1), "1 to 64"), STATUS_INVALID);
    CHECK_INT(with(a, "run", arena_printf(a, "\"%s\"", filled(a, LIMIT_EDGE_RUN, "{port} ")), ""), STATUS_OK);
    CHECK_INT(with(a, "run", arena_printf(a, "\"%s\"", filled(a, LIMIT_EDGE_RUN + 1, "{port} ")), "8192"),
              STATUS_INVALID);
    arena_free(a);
}
