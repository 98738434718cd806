/* SPDX-License-Identifier: Apache-2.0 */
/* public_key: keys of OpenSSL from the numbers that JSON Web Keys and COSE keys write. Private to this folder; include
 * it before anything of base/ (OpenSSL's headers use names that base/banned.h poisons). Any thread. */
#ifndef VITRINE_CODEC_PUBLIC_KEY_H
#define VITRINE_CODEC_PUBLIC_KEY_H

#include <openssl/evp.h>

#include "base/str.h"

/* Each gives NULL for numbers that are no such key, and leaves no error behind. */
EVP_PKEY *public_key_rsa(str n, str e);  /* 2048 to 8192 bits; an exponent of at most 4 bytes */
EVP_PKEY *public_key_p256(str x, str y); /* a point of the curve */
EVP_PKEY *public_key_ed25519(str x);

#endif
