/* SPDX-License-Identifier: Apache-2.0 */
/* An answer of a name server: what is read lies inside of it, and a signature that nobody made is never good. */
#include <stddef.h>

#include "acme/dns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char mac[DNS_MAC_BYTES] = {1};
    const struct dns_key key = {STR("update"), STR("a secret that is in no corpus")};
    struct dns_answer answer;
    str message = str_make((const char *)data, size);
    if (size > DNS_MESSAGE_MAX || dns_answer_read(message, &answer, NULL) != STATUS_OK)
        return 0;
    ASSERT(strlen(answer.soa_owner) < DNS_NAME_MAX);
    if (answer.has_tsig)
        ASSERT(answer.tsig_at < size && answer.tsig_mac.p >= message.p &&
               answer.tsig_mac.p + answer.tsig_mac.n <= message.p + size);
    ASSERT(!dns_answer_signed(message, &answer, &key, mac));
    return 0;
}
