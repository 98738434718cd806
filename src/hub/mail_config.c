/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "codec/url.h"
#include "hub/mail_send.h"
#include "hub/setting.h"

/* "smtp://user:p%40ss@host" -> "smtp://host" and the two, decoded. */
static void split_user(struct arena *a, struct mail_config *c)
{
    size_t begin = str_find(c->url, STR("://")), at = str_rfind_char(c->url, '@');
    if (begin == STR_NPOS || at == STR_NPOS || !str_starts(c->url, STR("smtp")))
        return;
    str user, password;
    (void)str_cut(str_sub(c->url, begin + 3, at), ':', &user, &password);
    c->user = url_unquote(a, user);
    c->password = url_unquote(a, password);
    c->url = ARENA_CAT(a, str_sub(c->url, 0, begin + 3), str_from(c->url, at + 1));
}

/* "Data <data@example.org>" or "data@example.org" */
static void split_from(struct mail_config *c)
{
    str from = c->from;
    size_t open = str_rfind_char(from, '<');
    if (open == STR_NPOS || !str_ends(from, STR(">")))
        return;
    c->from = str_sub(from, open + 1, from.n - 1);
    c->from_name = str_trim(str_sub(from, 0, open));
    str n = c->from_name;
    if (n.n >= 2 && n.p[0] == '"' && n.p[n.n - 1] == '"')
        c->from_name = str_sub(n, 1, n.n - 1);
}

enum status mail_config_read(struct arena *a, struct value section, str domain, str origin, struct mail_config *ret,
                             struct err *err)
{
    struct mail_config c = {.host = domain, .origin = origin};
    const struct {
        const char *key;
        str *to;
    } keys[] = {
        {"url", &c.url}, {"from", &c.from}, {"user", &c.user}, {"password", &c.password}, {"ca_file", &c.ca_file}};
    enum status st = STATUS_OK;
    if (value_is_null(section)) {
        *ret = c;
        return STATUS_OK;
    }
    if (section.kind != VALUE_DICT)
        return err_set(err, STATUS_CONFIG, "hub.yaml: mail must hold keys and values");
    for (size_t i = 0; i < value_count(section) && st == STATUS_OK; i++) {
        const struct value_entry *e = &section.dict->entries[i];
        str *to = NULL;
        for (size_t j = 0; j < ARRAY_LEN(keys); j++)
            to = str_is(e->key, keys[j].key) ? keys[j].to : to;
        if (!to) {
            err_set(err, STATUS_CONFIG, "hub.yaml: mail has no key \"%.*s\"", STR_ARG(str_sub(e->key, 0, 60)));
            err_hint(err, "It may have: url, from, user, password, ca_file.");
            return STATUS_CONFIG;
        }
        st = setting_text(a, e->value, to, err);
        if (st != STATUS_OK)
            err_prefix(err, "hub.yaml: mail: %.*s", STR_ARG(e->key));
    }
    if (st == STATUS_OK && !c.url.n)
        st = err_set(err, STATUS_CONFIG, "hub.yaml: mail: url is missing");
    if (st != STATUS_OK)
        return st;
    split_user(a, &c);
    split_from(&c);
    if (!c.from.n)
        c.from = ARENA_CAT(a, STR("noreply@"), domain);
    if (!c.from_name.n)
        c.from_name = domain;
    st = mail_send_check(&c, err);
    if (st == STATUS_OK)
        *ret = c;
    else
        err_prefix(err, "hub.yaml");
    return st;
}
