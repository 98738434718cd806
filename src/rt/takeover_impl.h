/* SPDX-License-Identifier: Apache-2.0 */
/* takeover_impl: what takeover.c and arrival.c agree on; nobody else includes it. */
#ifndef VITRINE_RT_TAKEOVER_IMPL_H
#define VITRINE_RT_TAKEOVER_IMPL_H

#include <fcntl.h>

#define TAKEOVER_VARIABLE "VITRINE_TAKEOVER_FD"
#define TAKEOVER_FD       3 /* the successor's end of the pair */

static inline int dup_cloexec(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 4); /* above TAKEOVER_FD */
}

#endif
