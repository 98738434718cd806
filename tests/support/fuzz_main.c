/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_main — replays a corpus without libFuzzer: gives every file of the named folders (or the named files) to the
 * target once, under the sanitizers of the build. Empty input always comes first.
 *
 * Each input gets a heap block of exactly its size, so that a read past its end is seen. Exit status 0 when all ran; a
 * target that finds a fault aborts, and the name printed last is the input. No file at all is a failure: the corpus
 * went missing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replayed;

static int replay_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)fprintf(stderr, "%s: error %d\n", path, errno);
        return 1;
    }
    size_t size = (size_t)st.st_size, n = 0;
    uint8_t *data = malloc(size ? size : 1);
    for (ssize_t got; data && n < size && (got = read(fd, data + n, size - n)) > 0;)
        n += (size_t)got;
    (void)close(fd);
    if (!data || n < size) {
        (void)fprintf(stderr, "%s: read %zu of %zu bytes\n", path, n, size);
        free(data);
        return 1;
    }
    (void)fprintf(stderr, "%s\n", path);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    replayed++;
    return 0;
}

static int replay_folder(const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort), failed = 0;
    if (count < 0) {
        (void)fprintf(stderr, "%s: no such corpus\n", path);
        return 1;
    }
    for (int i = 0; i < count; i++) {
        char file[4096];
        if (names[i]->d_name[0] != '.') {
            int n = snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
            failed |= n < (int)sizeof(file) ? replay_file(file) : 1;
        }
        free(names[i]);
    }
    free(names);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    uint8_t *empty = calloc(1, 1);
    if (empty)
        (void)LLVMFuzzerTestOneInput(empty, 0);
    free(empty);
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) != 0) {
            (void)fprintf(stderr, "%s: error %d\n", argv[i], errno);
            failed = 1;
        } else {
            failed |= S_ISDIR(st.st_mode) ? replay_folder(argv[i]) : replay_file(argv[i]);
        }
    }
    (void)printf("%zu inputs replayed\n", replayed);
    return failed || replayed == 0;
}
