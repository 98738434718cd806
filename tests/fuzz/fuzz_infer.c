/* SPDX-License-Identifier: Apache-2.0 */
/* A file of any bytes through everything but the database: packing, encoding, dialect, types, report. Twice: with types
 * guessed from the first rows, and with the whole file read first; what there is to say must be the same. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ingest/ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The report as JSON, or the status of the failure. */
static enum status import(const char *path, const struct ingest_options *o, struct buf *ret)
{
    struct arena *a = arena_new(0);
    struct ingest_report report;
    struct source source;
    enum status st = source_open(a, str_of(path), STR(""), NULL, &source, NULL);
    if (st == STATUS_OK)
        st = ingest_run(a, NULL, &source, STR("t"), o, NULL, &report, NULL);
    if (st == STATUS_OK) {
        ingest_report_json(ret, &report);
        ingest_report_text(ret, &report);
        buf_clear(ret);
        report.passes = 0;
        report.duration_us = 0;
        report.child_count = 0; /* they have durations too */
        ingest_report_json(ret, &report);
        if (report.imported || report.rejected > report.rows + 100)
            abort();
    }
    arena_free(a);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    if (size < 1 || size > 1 << 20)
        return 0;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1))
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct ingest_options o = {.skip_lines = -1,
                               .no_headers = data[0] & 1,
                               .empty_null = data[0] & 2,
                               .strict = data[0] & 4,
                               .no_dates = data[0] & 8,
                               .dry_run = true,
                               .encoding = data[0] & 16 ? STR("utf-16") : STR(""),
                               .format = data[0] & 32   ? FORMAT_JSON
                                         : data[0] & 64 ? FORMAT_NDJSON
                                                        : FORMAT_AUTO,
                               .flatten = data[0] & 128,
                               .children = (data[0] & 96) == 96,
                               .sample_rows = 1 + data[0] % 3};
    struct buf one, two;
    buf_init(&one, 1 << 24);
    buf_init(&two, 1 << 24);
    enum status st = import(path, &o, &one);
    o.sample_rows = -1;
    if (import(path, &o, &two) != st || one.n != two.n || (one.n && memcmp(one.p, two.p, one.n) != 0))
        abort();
    buf_release(&one);
    buf_release(&two);
    close(fd);
    return 0;
}
