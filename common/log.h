/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's log. It goes to standard error, one line for each event:
 * `2026-11-22T12:53:01.123Z info    text`. Never log a password, a secret or a value, and pass what a peer
 * sent through utf8_quote. If nobody reads standard error, the caller is not blocked: lines are dropped, and
 * the next line that is written says how many. */
#ifndef KV_COMMON_LOG_H
#define KV_COMMON_LOG_H

typedef enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR } log_level_t;

/* Writes one line with one write(2), so that lines of several threads do not mix. A line of more than 2,000
 * bytes is cut. Control characters in the text are escaped, line breaks too. */
void log_line(log_level_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Logs that the system refused memory, and WHAT the consequence is (a clause: "a session is ended"). This can
 * happen often, so it writes at most one line in LOG_MEMORY_MS, with the number of calls that wrote none. */
void log_memory(const char *what);

enum { LOG_MEMORY_MS = 10000 };

#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
