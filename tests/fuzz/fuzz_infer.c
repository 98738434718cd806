/* SPDX-License-Identifier: Apache-2.0 */
/* A file of any bytes through everything but the database: packing, encoding, dialect, types, report. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ingest/ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    if (size < 1 || size > 1 << 20)
        return 0;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1))
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct arena *a = arena_new(0);
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
                               .children = (data[0] & 96) == 96};
    struct ingest_report report;
    struct source source;
    struct buf out;
    buf_init(&out, 1 << 24);
    if (source_open(a, str_of(path), STR(""), NULL, &source, NULL) == STATUS_OK &&
        ingest_run(a, NULL, &source, STR("t"), &o, NULL, &report, NULL) == STATUS_OK) {
        ingest_report_text(&out, &report);
        ingest_report_json(&out, &report);
        if (report.imported || report.rejected > report.rows + 100)
            abort();
    }
    buf_release(&out);
    arena_free(a);
    close(fd);
    return 0;
}
