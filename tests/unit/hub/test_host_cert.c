/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/host_cert.h"
#include "test.h"

static void check(const char *certs, const char *host, bool well, const char *words, const char *hint)
{
    struct arena *a = arena_new(0);
    struct value v;
    CHECK_INT(value_from_json(a, str_of(certs), &v, NULL), STATUS_OK);
    struct value got = host_cert_of(a, v, str_of(host));
    CHECK_INT(VALUE_GET(got, "well").b, well);
    CHECK_STR(VALUE_GET(got, "words").s, words);
    CHECK_STR(VALUE_GET(got, "hint").s, hint);
    arena_free(a);
}

#define ONE(state, more)                                                                                               \
    "{\"acme\": true, \"certificates\": [{\"name\": \"www.example.org\", \"state\": \"" state "\"" more "}]}"
#define SOON "The certificate is on its way. That takes a minute or two: look again."

TEST(each_state_has_words)
{
    const char *host = "www.example.org";
    check(ONE("valid", ", \"expires\": \"2027-02-20T10:11:12Z\""), host, true,
          "https works. The certificate is good until 2027-02-20.", "");
    check(ONE("renewing", ", \"expires\": \"2027-02-20T10:11:12Z\""), host, true,
          "https works. The certificate is good until 2027-02-20; a new one is on its way.", "");
    check(ONE("renewal failed",
              ", \"error\": \"the authority says no.\", \"hint\": \"Look at the DNS.\", \"retry_at\": "
              "\"2026-11-23T01:02:03Z\""),
          host, false, "https works, but the certificate could not be renewed: the authority says no.",
          "Look at the DNS. It is tried again by itself at 2026-11-23 01:02 UTC.");
    check(ONE("obtaining", ""), host, true, SOON, "");
    check(ONE("waiting", ""), host, true, SOON, "");
    check(ONE("failed", ", \"error\": \"no answer\""), host, false, "There is no certificate yet: no answer.", "");
    check(ONE("expired", ", \"expires\": \"2026-01-02T03:04:05Z\""), host, false,
          "The certificate is over since 2026-01-02.", "");
}

TEST(the_best_one_counts)
{
    const char *two =
        "{\"acme\": true, \"certificates\": [{\"name\": \"www.example.org\", \"state\": \"failed\","
        " \"error\": \"x\"}, {\"file\": \"a.pem\", \"names\": [\"other.org\", \"*.example.org\"], \"state\":"
        " \"valid\", \"expires\": \"2027-02-20T10:11:12Z\"}]}";
    check(two, "WWW.example.org", true, "https works. The certificate is good until 2027-02-20.", "");
    check(two, "a.b.example.org", true, SOON, ""); /* "*." is one label */
    check("{\"acme\": false, \"certificates\": []}", "www.example.org", false,
          "No certificate is for this host: browsers warn of it.", "Ask whoever runs this hub to add one to hub.yaml.");
}
