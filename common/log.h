/* SPDX-License-Identifier: MPL-2.0 */
/* The service's log: standard error, one line an event: `2026-11-22T12:53:01.123Z info  text`. Never a
 * password, a secret or a value; what a peer sent goes through utf8_quote first. A reader of standard error
 * that is stuck never stops the caller: lines are dropped then, and their number is the next line. */
#ifndef KV_COMMON_LOG_H
#define KV_COMMON_LOG_H

typedef enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR } log_level_t;

/* Writes one line with one write(2), so that lines of several threads do not mix; longer than 2,000 bytes is
 * cut. Line breaks in the text become spaces. */
void log_line(log_level_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The system refused memory, and WHAT came of it (a clause: "a session is ended"). One line in LOG_MEMORY_MS
 * at most, with the number of times that had none: a broker that is out of memory meets that often. */
void log_memory(const char *what);

enum { LOG_MEMORY_MS = 10000 };

#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
