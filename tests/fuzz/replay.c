/* SPDX-License-Identifier: MPL-2.0 */
/* main of a fuzz target without libFuzzer. Runs the target once with each file of the given folders, so that
 * a corpus, with every input that once failed, is an ordinary test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20 }; /* most bytes of an input; the rest of a file is ignored */

static int replay_file(const char *folder, const char *name, uint8_t *space)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return -1;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    size_t size = fread(space, 1, INPUT_MAX, file);
    (void)fclose(file);
    uint8_t *data =
        malloc(size == 0 ? 1 : size); /* exact size, so that a sanitizer finds a read past the end */
    if (data == NULL)
        return -1;
    for (size_t i = 0; i < size; i++)
        data[i] = space[i];
    (void)fprintf(stderr, "%s\n", path); /* shows which input a failure is about */
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

static int replay_folder(const char *folder, uint8_t *space)
{
    DIR *open_folder = opendir(folder);
    if (open_folder == NULL) {
        perror(folder);
        return -1;
    }
    int count = 0;
    for (const struct dirent *entry; count >= 0 && (entry = readdir(open_folder)) != NULL;) {
        if (entry->d_name[0] != '.')
            count = replay_file(folder, entry->d_name, space) == 0 ? count + 1 : -1;
    }
    (void)closedir(open_folder);
    return count;
}

int main(int argc, char **argv)
{
    uint8_t *space = malloc(INPUT_MAX);
    int total = 0;
    for (int i = 1; i < argc && space != NULL; i++) {
        int count = replay_folder(argv[i], space);
        if (count <= 0) {
            (void)fprintf(stderr, "%s: no inputs\n", argv[i]);
            total = 0;
            break;
        }
        total += count;
    }
    free(space);
    (void)fprintf(stderr, "%d inputs\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
