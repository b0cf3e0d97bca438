/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the history file and what may go into it. The file is in libedit's own form, but not libedit's to
 * read and write: it follows links, waits for pipes, and on some systems leaves a file to everybody. */
#include "client/cli/line_history.h"

#define LIBBSD_NETBSD_VIS
#include <bsd/vis.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/command_table.h"
#include "client/cli/line.h"

/* The first line of the file; those below are encoded with VIS_WHITE. */
static const char file_head[] = "_HiStOrY_V2_\n";

enum {
    HEAD_SIZE = sizeof file_head - 1,
    LINE_ENCODED_MAX = 4 * LINE_HISTORY_LINE_MAX /* bytes of a line in the file: one takes at most four */
};

/* ---- Where it is ------------------------------------------------------------------------------ */

/* Makes the folders above PATH, for their owner alone. PATH is changed and restored. */
static void folders_make(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
}

/* The path of the file that is used where none is named, its folder made. Owned; NULL if there is no place
 * for it. */
static char *path_default(void)
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
    folders_make(path);
    return path;
}

/* ---- The file --------------------------------------------------------------------------------- */

/* Whether FILE is a regular file of our own that is a history, or empty: nothing else is read, written to or
 * closed to others. */
static bool is_history(int file, struct stat *found)
{
    char head[HEAD_SIZE];
    if (fstat(file, found) != 0 || !S_ISREG(found->st_mode) || found->st_uid != geteuid())
        return false;
    return found->st_size == 0 || (pread(file, head, sizeof head, 0) == (ssize_t)sizeof head &&
                                   memcmp(head, file_head, sizeof head) == 0);
}

/* Opens the file, for its owner alone whatever it was before. It is no link, and opening does not wait.
 * Returns -1 if there is none, or one that is not to be used. */
static int file_open(const char *path, int flags, struct stat *found)
{
    int file = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    if (file == -1)
        return -1;
    if (is_history(file, found) && ((found->st_mode & 07777) == 0600 || fchmod(file, 0600) == 0))
        return file;
    close(file);
    return -1;
}

/* Writes LINE as the file has it, behind the head where HEADED. */
static bool line_write(int file, const char *line, bool headed)
{
    size_t size = strlen(line);
    char *text = malloc(HEAD_SIZE + 4 * size + 2);
    if (text == NULL)
        return false;
    size_t used = headed ? HEAD_SIZE : 0;
    memcpy(text, file_head, used);
    used += (size_t)strvis(text + used, line, VIS_WHITE);
    text[used++] = '\n';
    bool written = write(file, text, used) == (ssize_t)used; /* at once: other shells append too */
    free(text);
    return written;
}

/* Takes what the file has into memory. */
static void lines_load(History *lines, FILE *stream)
{
    HistEvent event;
    char text[LINE_ENCODED_MAX + 2];
    char line[LINE_ENCODED_MAX + 2];
    bool whole = true; /* the piece read last ended a line */
    while (fgets(text, sizeof text, stream) != NULL) {
        bool begins = whole;
        size_t size = strcspn(text, "\n");
        whole = text[size] == '\n';
        text[size] = '\0';
        /* What is longer than any line that was kept is passed over. */
        if (begins && whole && strunvis(line, text) > 0)
            history(lines, &event, H_ENTER, line);
    }
}

/* Replaces a file that has grown long by one of the lines in memory. */
static void file_cut(const line_history_t *typed)
{
    HistEvent event;
    char *path = NULL;
    if (asprintf(&path, "%s.XXXXXX", typed->path) < 0)
        return;
    int file = mkostemp(path, O_CLOEXEC); /* its owner's alone */
    bool written = file != -1;
    bool headed = true;
    for (int more = history(typed->lines, &event, H_LAST); written && more != -1;
         more = history(typed->lines, &event, H_PREV)) {
        written = line_write(file, event.str, headed);
        headed = false;
    }
    if (file != -1 && (close(file) != 0 || !written || rename(path, typed->path) != 0))
        (void)unlink(path);
    free(path);
}

static void file_append(const char *path, const char *line)
{
    struct stat found;
    int file = file_open(path, O_RDWR | O_APPEND | O_CREAT, &found);
    if (file == -1)
        return;
    (void)line_write(file, line, found.st_size == 0);
    close(file);
}

/* ---- Lines ------------------------------------------------------------------------------------ */

void line_history_init(line_history_t *typed, const char *path)
{
    HistEvent event;
    struct stat found;
    *typed = (line_history_t){.lines = history_init()};
    if (typed->lines == NULL)
        return;
    history(typed->lines, &event, H_SETSIZE, LINE_HISTORY_LINES_MAX);
    history(typed->lines, &event, H_SETUNIQUE, 1);
    if (path == NULL)
        typed->path = path_default();
    else if (*path != '\0')
        typed->path = strdup(path);
    if (typed->path == NULL)
        return;
    int file = file_open(typed->path, O_RDONLY, &found);
    FILE *stream = file == -1 ? NULL : fdopen(file, "r");
    if (stream == NULL) {
        if (file != -1)
            close(file);
        return;
    }
    (void)fseek(stream, HEAD_SIZE, SEEK_SET);
    lines_load(typed->lines, stream);
    fclose(stream);
    if (found.st_size > LINE_HISTORY_FILE_MAX)
        file_cut(typed);
}

void line_history_release(line_history_t *typed)
{
    if (typed->lines != NULL)
        history_end(typed->lines);
    free(typed->path);
    *typed = (line_history_t){.lines = NULL};
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

void line_history_add(line_history_t *typed, const char *line)
{
    HistEvent event;
    bool kept = *line != '\0' && *line != '\n' && *line != ' ' && strlen(line) <= LINE_HISTORY_LINE_MAX &&
                !is_secret(line);
    if (!kept || typed->lines == NULL)
        return;
    history(typed->lines, &event, H_ENTER, line);
    if (typed->path != NULL)
        file_append(typed->path, line);
}
