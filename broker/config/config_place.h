/* SPDX-License-Identifier: MPL-2.0 */
/* Where in a configuration something stands, and what is wrong there. */
#ifndef KV_BROKER_CONFIG_CONFIG_PLACE_H
#define KV_BROKER_CONFIG_CONFIG_PLACE_H

#include <stddef.h>

#include "common/status.h"

enum {
    CONFIG_PROBLEM_SIZE = 1024, /* bytes that hold any problem with its terminating zero */
    CONFIG_QUOTE_SIZE = 100     /* bytes of a piece of input quoted in a problem */
};

/* Where a setting comes from, and where its problem goes. */
typedef struct config_place {
    const char *name; /* of the file, or "--set KEY"; borrowed */
    unsigned line;    /* from 1; 0 = the place has no lines */
    char *problem;    /* the caller's room for one line */
    size_t size;      /* bytes of it */
} config_place_t;

/* Writes `NAME:LINE: ` and the text, and returns false, for a caller to return. */
bool config_fault(const config_place_t *place, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same where memory was refused. */
bool config_fault_memory(const config_place_t *place);

#endif
