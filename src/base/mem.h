/* SPDX-License-Identifier: Apache-2.0 */
/* mem: the heap, for objects that outlive a request (x_new / x_free). Sizes are ours, not an outsider's: running out
 * aborts with a message. Freed with plain free(). Threads: any. */
#ifndef VITRINE_BASE_MEM_H
#define VITRINE_BASE_MEM_H

#include "base/str.h"

void *mem_alloc(size_t size) MUST_USE;               /* zeroed; never NULL, not even for 0 */
void *mem_array(size_t count, size_t size) MUST_USE; /* zeroed, overflow-checked */
/* Resizes an array of `size`-byte items to `count`; p may be NULL. New bytes are not zeroed. */
void *mem_resize(void *p, size_t count, size_t size) MUST_USE;
char *mem_cstr(str s) MUST_USE; /* a NUL-terminated copy */
#define MEM_NEW(type) ((type *)mem_alloc(sizeof(type)))

/* Overflow-checked arithmetic for sizes: aborts, so only for sizes that limits.h already bounds. */
size_t size_add(size_t a, size_t b);
size_t size_mul(size_t a, size_t b);

#endif
