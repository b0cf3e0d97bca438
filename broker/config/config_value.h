/* SPDX-License-Identifier: MPL-2.0 */
/* Reads and writes the texts of configuration values. Does not know keys or files. */
#ifndef KV_BROKER_CONFIG_CONFIG_VALUE_H
#define KV_BROKER_CONFIG_CONFIG_VALUE_H

#include "common/bytes.h"
#include "common/status.h"

/* Says why a text is not a valid value, and what to do: static text that continues "VALUE ...". NULL = the
 * value is valid. */
typedef const char *complaint_t;

/* A whole number in decimal. */
KV_MUST_USE complaint_t value_number(const char *text, uint64_t *number);
/* A size in bytes: a whole number, optionally with KiB, MiB or GiB. */
KV_MUST_USE complaint_t value_size(const char *text, uint64_t *bytes);
/* A time in the syntax of common/duration.h. */
KV_MUST_USE complaint_t value_duration(const char *text, uint64_t *ms);
/* Permissions of a file: an octal number of three digits, or of four that begin with 0. */
KV_MUST_USE complaint_t value_mode(const char *text, uint64_t *mode);
/* A group of this system, by its name or its number. An empty text means IPC_GROUP_OWN. */
KV_MUST_USE complaint_t value_group(const char *text, uint64_t *group);
/* One endpoint that a broker can listen on: tcp://HOST:PORT (PORT may be *) or ipc://PATH. */
KV_MUST_USE complaint_t value_endpoint(const char *text);

enum { VALUE_TEXT_SIZE = 32 }; /* bytes of a number's text with its terminating zero */

/* Write the shortest text that is read as the same value. Return OUT. */
const char *value_size_text(uint64_t bytes, char out[VALUE_TEXT_SIZE]);
const char *value_duration_text(uint64_t ms, char out[VALUE_TEXT_SIZE]);
const char *value_mode_text(uint64_t mode, char out[VALUE_TEXT_SIZE]);
const char *value_group_text(uint64_t group, char out[VALUE_TEXT_SIZE]);

#endif
