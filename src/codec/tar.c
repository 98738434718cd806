/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/tar.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_USTAR 100
#define SIZE_MAX_USTAR INT64_C(077777777777) /* eleven octal digits */

struct tar_block { /* ustar */
    char name[NAME_MAX_USTAR], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6],
        version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct tar_block) == TAR_BLOCK, "a block");

/* Fills the field with octal digits and a NUL. */
static void octal(char *field, size_t size, uint64_t n)
{
    field[--size] = '\0';
    while (size) {
        field[--size] = (char)('0' + n % 8);
        n /= 8;
    }
}

static void put_block(struct buf *out, const struct tar_entry *e, char type)
{
    struct tar_block b = {.type = type, .magic = "ustar", .version = {'0', '0'}};
    unsigned sum = 0;
    memcpy(b.name, e->name.p, MIN(e->name.n, sizeof b.name));
    octal(b.mode, sizeof b.mode, e->mode & 0777);
    octal(b.uid, sizeof b.uid, 0);
    octal(b.gid, sizeof b.gid, 0);
    octal(b.size, sizeof b.size, (uint64_t)MIN(e->size, SIZE_MAX_USTAR));
    octal(b.mtime, sizeof b.mtime, (uint64_t)MIN(MAX(e->mtime_s, 0), SIZE_MAX_USTAR));
    memset(b.sum, ' ', sizeof b.sum);
    for (size_t i = 0; i < sizeof b; i++)
        sum += ((const unsigned char *)&b)[i];
    octal(b.sum, 7, sum); /* six digits, NUL, space */
    buf_put(out, &b, sizeof b);
}

static bool is_plain(str name)
{
    bool plain = name.n <= NAME_MAX_USTAR;
    for (size_t i = 0; i < name.n; i++)
        plain = plain && (unsigned char)name.p[i] < 0x80;
    return plain;
}

/* "LENGTH KEY=VALUE\n", LENGTH counting itself. */
static void put_record(struct buf *out, const char *key, str value)
{
    char digits[24];
    size_t rest = strlen(key) + value.n + 3, n = rest, before;
    do {
        before = n;
        n = rest + (size_t)snprintf(digits, sizeof digits, "%zu", before);
    } while (n != before);
    buf_printf(out, "%zu %s=", n, key);
    buf_puts(out, value);
    buf_putc(out, '\n');
}

void tar_head(struct buf *out, const struct tar_entry *e)
{
    struct buf records, slashed;
    struct tar_entry named = *e;
    buf_init(&records, 65536);
    buf_init(&slashed, 65536);
    if (e->folder) {
        buf_puts(&slashed, e->name);
        buf_putc(&slashed, '/');
        named.name = buf_str(&slashed);
    }
    if (!is_plain(named.name))
        put_record(&records, "path", named.name);
    if (e->size > SIZE_MAX_USTAR) {
        char digits[24];
        (void)snprintf(digits, sizeof digits, "%lld", (long long)e->size);
        put_record(&records, "size", str_of(digits));
    }
    if (records.n) {
        const struct tar_entry head = {STR("PaxHeaders/file"), false, 0600, (int64_t)records.n, e->mtime_s};
        put_block(out, &head, 'x');
        buf_puts(out, buf_str(&records));
        tar_pad(out, (int64_t)records.n);
    }
    put_block(out, &named, e->folder ? '5' : '0');
    buf_release(&records);
    buf_release(&slashed);
}

void tar_pad(struct buf *out, int64_t size)
{
    static const char zeros[TAR_BLOCK];
    buf_put(out, zeros, (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK));
}

void tar_end(struct buf *out)
{
    static const char zeros[2 * TAR_BLOCK];
    buf_put(out, zeros, sizeof zeros);
}
