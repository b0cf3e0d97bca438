/* SPDX-License-Identifier: MPL-2.0 */
/* Formats and writes log lines. Reads the wall clock for their time. */
#include "common/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/utf8.h"

enum {
    LINE_SIZE = 2000, /* bytes of a line, its line break included */
    STALL_MS = 20     /* wait before a line is dropped, if the line before it was not */
};

static const char *const level_texts[] = {
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_ERROR] = "error",
};

/* Writes the time and the level to LINE, and returns their length. */
static size_t line_begin(char *line, size_t size, log_level_t level)
{
    int64_t now_ms = clock_unix_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t length = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
    int more =
        snprintf(line + length, size - length, ".%03dZ %-7s ", (int)(now_ms % 1000), level_texts[level]);
    return length + (size_t)more;
}

/* Whether standard error takes a line without blocking. A pipe that nobody reads must not block the broker:
 * so the first line waits STALL_MS, and later lines (STALLED) do not wait. */
static bool writable(bool stalled)
{
    struct pollfd item = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&item, 1, stalled ? 0 : STALL_MS) > 0;
}

void log_line(log_level_t level, const char *format, ...)
{
    /* Lines dropped since the last one that was written, so that the log can say how many are missing. */
    static atomic_uint lost;

    char line[LINE_SIZE];
    size_t begin = line_begin(line, sizeof line, level);
    va_list arguments;
    va_start(arguments, format);
    size_t text = strlen(utf8_vformat(line + begin, sizeof line - begin, format, arguments));
    va_end(arguments);
    line[begin + text] = '\n';

    if (!writable(atomic_load(&lost) > 0)) {
        atomic_fetch_add(&lost, 1);
        return;
    }
    unsigned gap = atomic_exchange(&lost, 0);
    if (gap > 0)
        log_line(LOG_LEVEL_WARNING, "%u lines of this log were dropped: standard error was not read", gap);
    ssize_t written = write(STDERR_FILENO, line, begin + text + 1);
    (void)written; /* there is nowhere to report a failure */
}

void log_memory(const char *what)
{
    static atomic_uint untold;            /* calls that wrote no line */
    static atomic_int_least64_t until_ms; /* monotonic: no line is written before */
    int64_t now_ms = clock_monotonic_ms();
    int64_t due_ms = atomic_load(&until_ms);
    if (now_ms < due_ms || !atomic_compare_exchange_strong(&until_ms, &due_ms, now_ms + LOG_MEMORY_MS)) {
        atomic_fetch_add(&untold, 1);
        return;
    }
    unsigned more = atomic_exchange(&untold, 0);
    char times[64] = "";
    if (more > 0)
        snprintf(times, sizeof times, " (%u times more since the last such line)", more);
    log_error("out of memory: %s%s; give the broker more memory, or lower its limits", what, times);
}
