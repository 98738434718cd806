/* SPDX-License-Identifier: Apache-2.0 */
/* scan: looks for special bytes 8 at a time in a machine word. Private to this folder.
 *
 * Each scan_* gives a word whose lowest flagged byte (its bit 7 set) is truly the first match; flags above that one may
 * be false, because the borrow of a true match runs on upwards. So only scan_first() may be asked. Flags may be or-ed.
 */
#ifndef VITRINE_CODEC_SCAN_H
#define VITRINE_CODEC_SCAN_H

#include <stdint.h>
#include <string.h>

#define SCAN_ONES UINT64_C(0x0101010101010101)
#define SCAN_HIGH UINT64_C(0x8080808080808080)

/* The byte at p is the lowest one of the word, whatever the machine. */
static inline uint64_t scan_load(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof(w));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w;
}
static inline uint64_t scan_is(uint64_t w, unsigned char c)
{
    uint64_t x = w ^ (SCAN_ONES * c);
    return (x - SCAN_ONES) & ~x & SCAN_HIGH;
}
/* Bytes below `limit`, which is at most 128. */
static inline uint64_t scan_below(uint64_t w, unsigned char limit)
{
    return (w - SCAN_ONES * limit) & ~w & SCAN_HIGH;
}
static inline uint64_t scan_not_ascii(uint64_t w)
{
    return w & SCAN_HIGH;
}
/* Offset (0-7) of the first match; flags must not be 0. */
static inline size_t scan_first(uint64_t flags)
{
    return (size_t)__builtin_ctzll(flags) / 8;
}

#endif
