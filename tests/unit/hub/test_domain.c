/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that a space may have of its own. */
#include "hub/domain.h"
#include "test.h"

TEST(domain_hosts)
{
    static const struct {
        const char *host;
        enum status st;
    } cases[] = {
        {"www.example.org", STATUS_OK},
        {"example.org", STATUS_OK},
        {"xn--mnchen-3ya.example", STATUS_OK},
        {"mydata.example.net", STATUS_OK}, /* ends like the hub's, and is not below it */
        {"data.example.net", STATUS_INVALID},
        {"museum.data.example.net", STATUS_INVALID},
        {"a.b.data.example.net", STATUS_INVALID},
        {"example", STATUS_INVALID},
        {"192.0.2.1", STATUS_INVALID},
        {"www.example.org.", STATUS_INVALID},
        {"www..example.org", STATUS_INVALID},
        {"-www.example.org", STATUS_INVALID},
        {"www-.example.org", STATUS_INVALID},
        {"www.-example.org", STATUS_INVALID},
        {"www.exa_mple.org", STATUS_INVALID},
        {"*.example.org", STATUS_INVALID},
        {"www.example.org:80", STATUS_INVALID},
        {"www.example.org/", STATUS_INVALID},
        {"a123456789012345678901234567890123456789012345678901234567890123.org", STATUS_INVALID},
        {"", STATUS_INVALID},
    };
    const struct hub_config c = {.domain = STR("data.example.net")};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = ERR_INIT;
        enum status st = domain_host_check(&c, str_of(cases[i].host), &err);
        if (st != cases[i].st)
            printf("# %s\n", cases[i].host);
        CHECK_INT(st, cases[i].st);
        CHECK(st == STATUS_OK || err.hint[0]);
    }
}

TEST(domain_leads)
{
    const struct hub_config here = {.domain = STR("data.localhost")};
    struct err err = ERR_INIT;
    CHECK_INT(domain_leads_here(&here, STR("www.museum.localhost"), &err), STATUS_OK);
    CHECK_INT(domain_leads_here(&here, STR("192.0.2.1"), &err), STATUS_INVALID); /* an address needs no name server */
    CHECK(strstr(err.text, "leads to another machine") != NULL);
    /* What the hub itself is below belongs to who runs it, wherever it leads. */
    const struct hub_config below = {.domain = STR("data.museum.localhost")};
    err_clear(&err);
    CHECK_INT(domain_leads_here(&below, STR("museum.localhost"), &err), STATUS_INVALID);
    CHECK(strstr(err.text, "does not prove") != NULL && strstr(err.hint, "record") != NULL);
    CHECK_INT(domain_leads_here(&below, STR("www.museum.localhost"), &err), STATUS_OK);
    CHECK_INT(domain_leads_here(&below, STR("seum.localhost"), &err), STATUS_OK);
}
