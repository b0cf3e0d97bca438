/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the history file and decides what goes into it. The file has libedit's format, but is not read and
 * written by libedit, which follows links, waits for pipes, and on some systems makes files that everybody
 * can read. */
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

/* The first line of the file. The other lines are encoded with VIS_WHITE. */
static const char file_head[] = "_HiStOrY_V2_\n";

enum {
    HEAD_SIZE = sizeof file_head - 1,
    LINE_ENCODED_MAX =
        4 * LINE_HISTORY_LINE_MAX /* bytes of a line in the file: encoding takes at most 4 for each byte */
};

/* ---- The path --------------------------------------------------------------------------------- */

/* Makes the folders above PATH, accessible only to their owner. Changes PATH meanwhile. */
static void folders_make(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
}

/* The default path of the file; makes its folder. Owned; NULL if there is no home folder. */
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

/* Whether FILE is the user's own regular file, and is a history or empty. No other file is read, written or
 * changed in mode. */
static bool is_history(int file, struct stat *found)
{
    char head[HEAD_SIZE];
    if (fstat(file, found) != 0 || !S_ISREG(found->st_mode) || found->st_uid != geteuid())
        return false;
    return found->st_size == 0 || (pread(file, head, sizeof head, 0) == (ssize_t)sizeof head &&
                                   memcmp(head, file_head, sizeof head) == 0);
}

/* Opens the file and makes it accessible only to its owner. Does not follow links, and does not wait. Returns
 * -1 if there is no file, or it must not be used. */
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

/* Writes LINE, encoded; with HEADED also the head before it. */
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
    bool written = write(file, text, used) == (ssize_t)used; /* in one write: other shells append too */
    free(text);
    return written;
}

/* Reads the lines of the file into memory. */
static void lines_load(History *lines, FILE *stream)
{
    HistEvent event;
    char text[LINE_ENCODED_MAX + 2];
    char line[LINE_ENCODED_MAX + 2];
    bool whole = true; /* the last piece read ended a line */
    while (fgets(text, sizeof text, stream) != NULL) {
        bool begins = whole;
        size_t size = strcspn(text, "\n");
        whole = text[size] == '\n';
        text[size] = '\0';
        /* Ignore a line that is longer than any that is kept. */
        if (begins && whole && strunvis(line, text) > 0)
            history(lines, &event, H_ENTER, line);
    }
}

/* Replaces a large file by one that has only the lines in memory. */
static void file_cut(const line_history_t *typed)
{
    HistEvent event;
    char *path = NULL;
    if (asprintf(&path, "%s.XXXXXX", typed->path) < 0)
        return;
    int file = mkostemp(path, O_CLOEXEC); /* accessible only to its owner */
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

/* Whether TEXT may contain a secret. If it cannot be split, for example because a quote is missing, `auth`
 * anywhere in it is enough. */
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
