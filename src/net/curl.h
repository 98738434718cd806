/* SPDX-License-Identifier: Apache-2.0 */
/* curl: libcurl, loaded when the outside world is first asked for something. Linked in, it and the thirty libraries
 * behind it would double the time that every start of the program takes. Any thread. Questions over HTTP: ask.h. */
#ifndef VITRINE_NET_CURL_H
#define VITRINE_NET_CURL_H

#include <curl/curl.h>

#include "base/arena.h"
#include "base/err.h"

struct curl {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_new)(void);
    void (*easy_free)(CURL *easy);
    CURLcode (*set)(CURL *easy, CURLoption option, ...);
    CURLcode (*get)(CURL *easy, CURLINFO info, ...);
    CURLcode (*perform)(CURL *easy);
    const char *(*text)(CURLcode code);
    struct curl_slist *(*list_add)(struct curl_slist *list, const char *text);
    void (*list_free)(struct curl_slist *list);
};

/* The proxy that $VITRINE_GATE stands for (the socket of `vitrine gate`: in a sandbox the only way out), as libcurl
 * wants it; NULL where there is none. The gate looks at addresses by itself. */
const char *curl_gate(struct arena *a);
/* The gate lets nobody go there. */
bool curl_gate_refused(const struct curl *c, CURL *easy, CURLcode code);
/* NOT_IMPLEMENTED: it is not installed. */
enum status curl_load(const struct curl **ret, struct err *err) MUST_USE;

#endif
