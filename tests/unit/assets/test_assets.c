/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/sha.h>
#include <stdlib.h>
#include <zlib.h>

#include "assets/assets.h"
#include "test.h"

static const char *const prefixes[] = {"static/", "templates/", "ship/", "systemd/"};

/* The first of them that it has. */
static size_t prefix_of(str path)
{
    size_t i = 0;
    while (i < ARRAY_LEN(prefixes) && !str_starts(path, str_of(prefixes[i])))
        i++;
    return i;
}

TEST(assets_are_found_by_path)
{
    CHECK(asset_count() > 0);
    for (size_t i = 0; i < asset_count(); i++) {
        const struct asset *a = asset_at(i);
        CHECK(asset_find(a->path) == a);
        CHECK(i == 0 || str_cmp(asset_at(i - 1)->path, a->path) < 0);
        CHECK(prefix_of(a->path) < ARRAY_LEN(prefixes));
        CHECK(str_find_char(str_of(a->mime), '/') != STR_NPOS);
        CHECK(a->data.p[a->data.n] == '\0');
    }
    CHECK(asset_find(STR("ship/remote.sh")) && asset_find(STR("systemd/vitrine-hub.service")));
    CHECK(asset_find(STR("")) == NULL);
    CHECK(asset_find(STR("static/")) == NULL);
    CHECK(asset_find(STR("zzz")) == NULL);
    CHECK(asset_find((str){NULL, 0}) == NULL);
}

TEST(assets_etag_is_the_sha256_of_the_bytes)
{
    for (size_t i = 0; i < asset_count(); i++) {
        const struct asset *a = asset_at(i);
        unsigned char digest[SHA256_DIGEST_LENGTH];
        char hex[2 * SHA256_DIGEST_LENGTH + 1];
        (void)SHA256((const unsigned char *)a->data.p, a->data.n, digest);
        for (size_t k = 0; k < sizeof(digest); k++)
            (void)snprintf(hex + 2 * k, 3, "%02x", digest[k]);
        CHECK_STR(str_of(a->etag), hex);
    }
}

TEST(assets_gzip_holds_the_same_bytes)
{
    size_t variants = 0;
    for (size_t i = 0; i < asset_count(); i++) {
        const struct asset *a = asset_at(i);
        if (prefix_of(a->path) > 0)
            CHECK(a->gz.p == NULL); /* never served as they are */
        if (!a->gz.p)
            continue;
        variants++;
        CHECK(a->gz.n < a->data.n);
        unsigned char *plain = malloc(a->data.n + 1), *packed = malloc(a->gz.n);
        CHECK(plain && packed);
        memcpy(packed, a->gz.p, a->gz.n);
        z_stream z = {
            .next_in = packed, .avail_in = (uInt)a->gz.n, .next_out = plain, .avail_out = (uInt)a->data.n + 1};
        CHECK(inflateInit2(&z, 16 + MAX_WBITS) == Z_OK);
        CHECK(inflate(&z, Z_FINISH) == Z_STREAM_END);
        CHECK_STRS(str_make((char *)plain, z.total_out), a->data);
        CHECK(inflateEnd(&z) == Z_OK);
        free(plain);
        free(packed);
    }
    CHECK(variants > 0);
}
