/* SPDX-License-Identifier: Apache-2.0 */
/* django: sessions that a Django application keeps in signed cookies
 * (django.contrib.sessions.backends.signed_cookies), read with its SECRET_KEY. Any thread.
 *
 * What cannot be seen from the cookie: whether the user has changed the password since (Django compares
 * _auth_user_hash with its database), was deleted, or signed out elsewhere. Such a session is good until max_age. */
#ifndef VITRINE_CODEC_DJANGO_H
#define VITRINE_CODEC_DJANGO_H

#include "codec/value.h"

#define DJANGO_SESSION_SALT "django.contrib.sessions.backends.signed_cookies"

/* The DICT inside. secrets: SECRET_KEY first, then SECRET_KEY_FALLBACKS. HMAC-SHA256, and HMAC-SHA1 as before Django
 * 3.1. INVALID: not signed with one of them, older than max_age_s, or no JSON object (PickleSerializer);
 * TOO_LARGE: more than LIMIT_SIGN_PAYLOAD when unpacked. The signature is checked first, in constant time. */
enum status django_session(struct arena *a, str cookie, const str *secrets, size_t count, int64_t now_s,
                           int64_t max_age_s, struct value *ret, struct err *err) MUST_USE;

#endif
