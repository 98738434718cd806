/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/device.h"

#include "base/clock.h"
#include "base/limits.h"
#include "codec/b64.h"
#include "codec/digest.h"

#define COOKIE   "vitrine_device"
#define LIFE_S   31536000 /* a year */
#define ID_BYTES 43       /* of hub_secret */

static str mac_of(const struct hub *h, struct arena *a, str id)
{
    unsigned char mac[DIGEST_RAW_MAX];
    size_t n = digest_hmac_sha256(h->secret, ARENA_CAT(a, STR("device:"), id), mac);
    return b64url_encode(a, str_make((const char *)mac, n));
}

static bool is_ours(const struct hub *h, struct arena *a, str cookie)
{
    str id, mac;
    return str_cut(cookie, '.', &id, &mac) && digest_equal(mac, mac_of(h, a, id));
}

str device_id(struct hub_request *rq)
{
    str id, rest, hash;
    if (rq->device.n)
        return rq->device;
    str_cut(hub_cookie_of(rq, COOKIE), '.', &id, &rest);
    if (id.n != ID_BYTES) {
        id = hub_secret(rq->a, &hash);
        hub_cookie(rq, COOKIE, id, LIFE_S);
    }
    return rq->device = id;
}

bool device_is_known(struct hub *h, const struct http_request *http, struct arena *a)
{
    const struct hub_request rq = {.hub = h, .http = http, .a = a};
    return is_ours(h, a, hub_cookie_of(&rq, COOKIE));
}

enum status device_knows(struct conn *c, struct hub_request *rq, str user_id, bool *ret, struct err *err)
{
    struct value row;
    *ret = false;
    if (!device_is_known(rq->hub, rq->http, rq->a))
        return STATUS_OK;
    enum status st = SQL_ROW(c, rq->a, &row, err, "select 1 as one from devices where user_id = ?1 and hash = ?2",
                             SQL_T(user_id), SQL_T(hub_hash(rq->a, device_id(rq))));
    if (st == STATUS_OK)
        *ret = row.kind == VALUE_DICT;
    return st;
}

enum status device_note(struct conn *c, struct hub_request *rq, str user_id, struct err *err)
{
    int64_t now = clock_unix_s();
    enum status st =
        SQL_RUN(c, err, "delete from devices where user_id = ?1 and seen_at < ?2", SQL_T(user_id), SQL_I(now - LIFE_S));
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "insert or replace into devices (user_id, hash, seen_at) values (?1, ?2, ?3)",
                     SQL_T(user_id), SQL_T(hub_hash(rq->a, device_id(rq))), SQL_I(now));
    return st == STATUS_OK
               ? SQL_RUN(c, err,
                         "delete from devices where user_id = ?1 and hash in (select hash from devices where user_id ="
                         " ?1 and hash <> ?2 order by seen_at desc limit 100 offset ?3)",
                         SQL_T(user_id), SQL_T(hub_hash(rq->a, device_id(rq))), SQL_I(LIMIT_HUB_SESSIONS - 1))
               : st;
}

void device_remember(struct hub_request *rq)
{
    str id = device_id(rq);
    hub_cookie(rq, COOKIE, ARENA_CAT(rq->a, id, STR("."), mac_of(rq->hub, rq->a, id)), LIFE_S);
}

/* ---- what it is called ---- */

struct known {
    const char *part, *name;
};
/* The first that is found names it: browsers carry the names of those they descend from. */
static const struct known programs[] = {{"Edg/", "Edge"},      {"OPR/", "Opera"},    {"Firefox/", "Firefox"},
                                        {"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"FxiOS/", "Firefox"},
                                        {"Safari/", "Safari"}, {"curl/", "curl"},    {"python", "Python"}};
static const struct known machines[] = {{"iPhone", "iPhone"}, {"iPad", "iPad"},       {"Android", "Android"},
                                        {"CrOS", "ChromeOS"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"},
                                        {"Linux", "Linux"}};

static str name_in(str agent, const struct known *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_find(agent, str_of(list[i].part)) != STR_NPOS)
            return str_of(list[i].name);
    return (str){0};
}

str device_name(struct arena *a, str agent)
{
    str program = name_in(agent, programs, ARRAY_LEN(programs)),
        machine = name_in(agent, machines, ARRAY_LEN(machines));
    if (program.n && machine.n)
        return ARENA_CAT(a, program, STR(" on "), machine);
    if (program.n || machine.n)
        return program.n ? program : machine;
    return agent.n ? str_sub(agent, 0, str_find_char(agent, '/')) : STR("Unknown browser");
}

str device_place(struct arena *a, str address)
{
    bool v6 = str_find_char(address, ':') != STR_NPOS;
    size_t at = 0;
    for (int parts = 0; at < address.n; at++)
        if (address.p[at] == (v6 ? ':' : '.') && ++parts == 3)
            return ARENA_CAT(a, str_sub(address, 0, at + 1), STR("…"));
    return address;
}
