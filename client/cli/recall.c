/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the history file and what may go into it. */
#include "client/cli/recall.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/command.h"
#include "client/cli/line.h"

/* Makes FOLDER and those above it, for their owner alone. FOLDER is changed and restored. */
static void folder_make(char *folder)
{
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(folder, 0700);
        *slash = '/';
    }
}

/* The file's path, its folder made. Owned; NULL where there is no place for it. */
static char *path_new(void)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    char *path = NULL;
    int size = -1;
    if (state != NULL && *state == '/')
        size = asprintf(&path, "%s/kvzmq/history", state);
    else if (home != NULL && *home == '/')
        size = asprintf(&path, "%s/.local/state/kvzmq/history", home);
    if (size < 0)
        return NULL;
    folder_make(path);
    return path;
}

/* Opens the file for appending, for its owner alone whatever it was before. Returns NULL where that fails. */
static FILE *file_open(const char *path)
{
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file == -1)
        return NULL;
    FILE *stream = fchmod(file, 0600) == 0 ? fdopen(file, "a") : NULL;
    if (stream == NULL)
        close(file);
    return stream;
}

/* Cuts a file that has grown long to the newest lines. */
static void file_cut(const recall_t *recall)
{
    struct stat found;
    HistEvent event;
    if (stat(recall->path, &found) == 0 && found.st_size > RECALL_FILE_MAX)
        history(recall->lines, &event, H_SAVE, recall->path); /* keeps the file, and sets its mode to 0600 */
}

void recall_init(recall_t *recall)
{
    HistEvent event;
    *recall = (recall_t){.lines = history_init()};
    if (recall->lines == NULL)
        return;
    history(recall->lines, &event, H_SETSIZE, RECALL_LINES_MAX);
    history(recall->lines, &event, H_SETUNIQUE, 1);
    recall->path = path_new();
    if (recall->path == NULL)
        return;
    history(recall->lines, &event, H_LOAD, recall->path);
    file_cut(recall);
}

void recall_release(recall_t *recall)
{
    if (recall->lines != NULL)
        history_end(recall->lines);
    free(recall->path);
    *recall = (recall_t){.lines = NULL};
}

/* Whether LINE may carry a secret. Where it cannot be split, say for a quote that is missing, `auth` anywhere
 * is enough. */
static bool is_secret(const char *text)
{
    line_t line;
    if (line_split(bytes_from_text(text), &line) != LINE_OK)
        return strcasestr(text, "auth") != NULL;
    bool secret = command_is_secret(line.words, line.count);
    line_release(&line);
    return secret || strncasecmp(text + strspn(text, " \t\"'"), "auth", 4) == 0;
}

/* Appends LINE to the file in libedit's own form. A history of this one line writes it: H_NSAVE_FP writes one
 * line more than it is asked for. */
static void file_append(const char *path, const char *line)
{
    HistEvent event;
    FILE *stream = file_open(path);
    History *single = history_init();
    if (stream == NULL || single == NULL)
        goto cleanup;
    history(single, &event, H_SETSIZE, 1);
    (void)fseek(stream, 0, SEEK_END); /* libedit heads the file where it stands at its beginning */
    if (history(single, &event, H_ENTER, line) >= 0)
        history(single, &event, H_SAVE_FP, stream);
cleanup:
    if (single != NULL)
        history_end(single);
    if (stream != NULL)
        fclose(stream);
}

void recall_add(recall_t *recall, const char *line)
{
    HistEvent event;
    bool kept =
        *line != '\0' && *line != '\n' && *line != ' ' && strlen(line) <= RECALL_LINE_MAX && !is_secret(line);
    if (!kept || recall->lines == NULL)
        return;
    history(recall->lines, &event, H_ENTER, line);
    if (recall->path != NULL)
        file_append(recall->path, line);
}
