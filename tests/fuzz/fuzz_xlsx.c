/* SPDX-License-Identifier: Apache-2.0 */
/* The XML of a sheet, its shared texts and its styles (divided by 0xFF, which no XML holds) as a workbook: a zip of
 * stored files is built around them, so that mutations reach the parsers and not only the checksums. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "ingest/ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIXED 3
static const struct {
    const char *name, *text;
} parts[] = {
    {"[Content_Types].xml", "<Types><Override PartName=\"/xl/w.xml\" ContentType=\"application/vnd.openxmlformats-"
                            "officedocument.spreadsheetml.sheet.main+xml\"/></Types>"},
    {"xl/w.xml", "<workbook><sheets><sheet name=\"S\" r:id=\"a\" xmlns:r=\"r\"/></sheets></workbook>"},
    {"xl/_rels/w.xml.rels", "<R><Relationship Id=\"a\" Type=\"/worksheet\" Target=\"s.xml\"/><Relationship Id=\"b\" "
                            "Type=\"/sharedStrings\" Target=\"t.xml\"/><Relationship Id=\"c\" Type=\"/styles\" "
                            "Target=\"y.xml\"/></R>"},
    {"xl/s.xml", NULL},
    {"xl/t.xml", NULL},
    {"xl/y.xml", NULL},
};

static void put(struct buf *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buf_putc(out, (char)(value >> (8 * i)));
}

/* What a local header and a directory entry have in common (APPNOTE 4.3.7, 4.3.12). */
static void put_common(struct buf *out, str name, str text)
{
    put(out, 20, 2);
    put(out, 0, 2);
    put(out, 0, 2); /* stored */
    put(out, 0, 4);
    put(out, (uint32_t)crc32(0, (const Bytef *)text.p, (uInt)text.n), 4);
    put(out, (uint32_t)text.n, 4);
    put(out, (uint32_t)text.n, 4);
    put(out, (uint32_t)name.n, 2);
    put(out, 0, 2);
}

static void build(struct buf *zip, const str *texts)
{
    struct buf directory;
    buf_init(&directory, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        str name = str_of(parts[i].name);
        uint32_t at = (uint32_t)zip->n;
        put(zip, 0x04034b50, 4);
        put_common(zip, name, texts[i]);
        buf_puts(zip, name);
        buf_puts(zip, texts[i]);
        put(&directory, 0x02014b50, 4);
        put(&directory, 20, 2);
        put_common(&directory, name, texts[i]);
        put(&directory, 0, 6);
        put(&directory, 0, 4);
        put(&directory, at, 4);
        buf_puts(&directory, name);
    }
    uint32_t at = (uint32_t)zip->n;
    buf_puts(zip, buf_str(&directory));
    put(zip, 0x06054b50, 4);
    put(zip, 0, 4);
    put(zip, ARRAY_LEN(parts), 2);
    put(zip, ARRAY_LEN(parts), 2);
    put(zip, (uint32_t)directory.n, 4);
    put(zip, at, 4);
    put(zip, 0, 2);
    buf_release(&directory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ingest_options o = {.skip_lines = -1, .dry_run = true};
    str texts[ARRAY_LEN(parts)], rest = str_make((const char *)data, size);
    char path[64];
    struct buf zip;
    if (size > 1 << 20)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (i < FIXED)
            texts[i] = str_of(parts[i].text);
        else
            str_cut(rest, '\xff', &texts[i], &rest);
    }
    buf_init(&zip, 1 << 22);
    build(&zip, texts);
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, zip.p, zip.n) != (ssize_t)zip.n)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct arena *a = arena_new(0);
    struct ingest_report report;
    struct source source;
    struct err err = ERR_INIT;
    if (source_open(a, str_of(path), STR(""), NULL, &source, &err) != STATUS_OK || source.kind != SOURCE_WORKBOOK)
        abort(); /* the zip is not what it is about */
    if (ingest_run(a, NULL, &source, STR("t"), &o, NULL, &report, &err) == STATUS_OK) {
        buf_clear(&zip);
        ingest_report_json(&zip, &report);
    }
    buf_release(&zip);
    arena_free(a);
    close(fd);
    return 0;
}
