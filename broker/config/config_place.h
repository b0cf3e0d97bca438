/* SPDX-License-Identifier: MPL-2.0 */
/* A place in a configuration, and what is wrong there. */
#ifndef KV_BROKER_CONFIG_CONFIG_PLACE_H
#define KV_BROKER_CONFIG_CONFIG_PLACE_H

#include <stddef.h>

#include "common/status.h"

enum {
    CONFIG_PROBLEM_SIZE = 1024, /* bytes of a problem with its terminating zero; a longer one is cut */
    CONFIG_QUOTE_SIZE = 100     /* bytes of input that is quoted in a problem, with its terminating zero */
};

/* Where a setting comes from, and where its problem goes. */
typedef struct config_place {
    const char *name; /* of the file, or "--set KEY"; borrowed */
    unsigned line;    /* from 1; 0 = the place has no lines */
    char *problem;    /* a buffer of the caller for one line */
    size_t size;      /* bytes of `problem` */
} config_place_t;

/* Writes `NAME:LINE: ` and the text to the place's `problem`. Returns false, so that a caller can return the
 * result. */
bool config_fault(const config_place_t *place, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same if memory was refused. */
bool config_fault_memory(const config_place_t *place);

#endif
