/* SPDX-License-Identifier: MPL-2.0 */
/* The kinds of keys: how the text of a key becomes a setting, and how a setting is shown. */
#ifndef KV_BROKER_CONFIG_CONFIG_KIND_H
#define KV_BROKER_CONFIG_CONFIG_KIND_H

#include <stdio.h>

#include "broker/config/config_place.h"
#include "broker/core/settings.h"
#include "common/status.h"

enum {
    CONFIG_ENDPOINTS_MAX = 16,     /* endpoints of a socket */
    CONFIG_CREDENTIALS_MAX = 10000 /* accounts; as many claimed names */
};

typedef struct kind kind_t;

/* A row of the table in config_table.c. */
typedef struct key_row {
    const char *section;
    const char *key; /* "NAME" = any name */
    const kind_t *kind;
    size_t at;       /* offset in settings_t of the number or of the list */
    size_t count_at; /* offset in settings_t of the list's count; 0 = no list */
    uint64_t min;    /* of a number, in the unit of the setting */
    uint64_t max;
    bool fixed;       /* cannot change while a broker runs */
    const char *help; /* one line */
} key_row_t;

struct kind {
    /* Sets the key to VALUE. NAME is the key, or the name if the row stands for any name. Returns false and
     * writes the problem if VALUE is wrong. */
    bool (*assign)(settings_t *settings, const key_row_t *row, const config_place_t *place, const char *name,
                   const char *value);
    /* Writes the value of the key, or a sample value, in the syntax of a file. */
    void (*show)(const settings_t *settings, const key_row_t *row, FILE *out);
    /* Frees what the key owns. NULL = nothing. */
    void (*release)(settings_t *settings, const key_row_t *row);
};

extern const kind_t kind_count;
extern const kind_t kind_size;
extern const kind_t kind_duration;
extern const kind_t kind_mode;      /* of a file */
extern const kind_t kind_group;     /* of this system */
extern const kind_t kind_endpoints; /* a list */
extern const kind_t kind_manager;   /* accounts by name */
extern const kind_t kind_name;      /* claimed client names */

#endif
