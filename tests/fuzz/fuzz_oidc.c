/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what an issuer says of itself, as claims of a token, and as what a space puts into its outbox. */
#include <stdlib.h>

#include "base/limits.h"
#include "hub/oidc_token.h"
#include "hub/outbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_claims(struct arena *a, const struct oidc_config *c, str text)
{
    struct value claims;
    struct identity_person p;
    if (value_from_json(a, text, &claims, NULL) != STATUS_OK)
        return;
    if (oidc_check_claims(c, claims, STR("n"), 1700000000, NULL) == STATUS_OK &&
        !str_eq(value_get_text(claims, STR("iss")), c->issuer))
        abort();
    (void)oidc_wants_userinfo(c, claims);
    if (oidc_person(a, c, claims, &p, NULL) == STATUS_OK && p.email_verified && !p.email.n)
        abort();
    if (claims.kind == VALUE_DICT && oidc_add_userinfo(claims, claims, NULL) == STATUS_OK &&
        value_get_text(claims, STR("sub")).n > text.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(64u << 20);
    str text = str_make((const char *)data, size);
    const struct oidc_config c = {.issuer = STR("https://i"), .client_id = STR("c"), .groups_claim = STR("a.groups")};
    struct oidc_discovery d;
    struct outbox_mail m;
    if (oidc_read_discovery(a, &c, text, &d, NULL) == STATUS_OK &&
        !(oidc_is_safe_url(d.authorization) && oidc_is_safe_url(d.token) && oidc_is_safe_url(d.keys)))
        abort();
    as_claims(a, &c, text);
    if (outbox_read(a, text, STR("https://s"), &m, NULL) == STATUS_OK &&
        (!str_starts(m.url, STR("https://s/")) || str_find_char(m.to, '\n') != STR_NPOS ||
         str_find_char(m.what, '\n') != STR_NPOS))
        abort();
    arena_free(a);
    return 0;
}
