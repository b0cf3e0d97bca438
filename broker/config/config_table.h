/* SPDX-License-Identifier: MPL-2.0 */
/* What the readers of a configuration (config_file.c, --set) share with the table of keys (config.c). */
#ifndef KV_BROKER_CONFIG_CONFIG_TABLE_H
#define KV_BROKER_CONFIG_CONFIG_TABLE_H

#include "broker/config/config.h"

/* How the values of a kind of key are read and shown. */
typedef struct kind kind_t;

/* A row of the table of keys: config.c. */
typedef struct key_row {
    const char *section;
    const char *key; /* NAME stands for any name */
    const kind_t *kind;
    size_t at;       /* offset in settings_t of the number or of the list */
    size_t count_at; /* offset in settings_t of the list's count; 0 = no list */
    uint64_t min;    /* of a number, in the unit it is kept in */
    uint64_t max;
    bool fixed;       /* cannot change while a broker runs */
    const char *help; /* one line */
} key_row_t;

/* The Ith row of the table; NULL after the last. */
const key_row_t *config_row(unsigned i);
/* Whether it stands for any name: a list of credentials, sorted by name. */
bool config_row_named(const key_row_t *row);

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
