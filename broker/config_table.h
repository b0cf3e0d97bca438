/* SPDX-License-Identifier: MPL-2.0 */
/* What the readers of a configuration (config_file.c, --set) share with the table of keys (config.c). */
#ifndef KV_BROKER_CONFIG_TABLE_H
#define KV_BROKER_CONFIG_TABLE_H

#include "broker/config.h"

/* Where a setting comes from, and where its problem goes. */
typedef struct place {
    const char *name; /* of the file, or "--set KEY"; borrowed */
    unsigned line;    /* from 1; 0 = the place has no lines */
    char *problem;    /* the caller's room for one line */
    size_t size;      /* bytes of it */
} place_t;

/* Writes `NAME:LINE: ` and the text, and returns false, for a caller to return. */
bool place_fault(const place_t *place, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether PATH is a section (`listen`), under which keys stand. */
bool config_section_known(const char *path);

/* Sets the key PATH (`section/key`) to VALUE; NULL = it has none, which is a problem. Checks all that one key
 * can be checked for. */
KV_MUST_USE bool config_assign(settings_t *settings, const place_t *place, const char *path,
                               const char *value);

#endif
