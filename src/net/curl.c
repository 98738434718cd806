/* SPDX-License-Identifier: Apache-2.0 */
#include "net/curl.h"

#include <dlfcn.h>
#include <pthread.h>

#include "codec/url.h"

#include "base/banned.h"

static struct curl curl;
static bool loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
    const struct {
        const char *name;
        void *to; /* POSIX: an object pointer holds a function's address */
    } wanted[] = {{"curl_global_init", &curl.global_init}, {"curl_easy_init", &curl.easy_new},
                  {"curl_easy_cleanup", &curl.easy_free},  {"curl_easy_setopt", &curl.set},
                  {"curl_easy_getinfo", &curl.get},        {"curl_easy_perform", &curl.perform},
                  {"curl_easy_strerror", &curl.text},      {"curl_slist_append", &curl.list_add},
                  {"curl_slist_free_all", &curl.list_free}};
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL); /* for good */
    if (!library)
        return;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        void *address = dlsym(library, wanted[i].name);
        if (!address)
            return;
        memcpy(wanted[i].to, &address, sizeof address);
    }
    loaded = curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

const char *curl_gate(struct arena *a)
{
    const char *path = getenv("VITRINE_GATE");
    if (!path || !*path)
        return NULL;
    return arena_cstr(a, ARENA_CAT(a, STR("socks5h://localhost"), url_quote(a, str_of(path), "/")));
}

bool curl_gate_refused(const struct curl *c, CURL *easy, CURLcode code)
{
    long why = 0;
    return code == CURLE_PROXY && c->get(easy, CURLINFO_PROXY_ERROR, &why) == CURLE_OK &&
           why == CURLPX_REPLY_NOT_ALLOWED;
}

enum status curl_load(const struct curl **ret, struct err *err)
{
    pthread_once(&once, load);
    if (!loaded) {
        err_set(err, STATUS_NOT_IMPLEMENTED, "what goes over the web needs libcurl, and it is not installed");
        return err_hint(err, "On Debian: apt-get install libcurl4.");
    }
    *ret = &curl;
    return STATUS_OK;
}
