/* SPDX-License-Identifier: MPL-2.0 */
/* Finds the address to connect to. libzmq would look up a host name in its I/O thread, where a lookup cannot
 * be ended and may take more than 10 seconds, and would try only one address. Here each lookup has its own
 * thread, and the caller stops waiting for it at its deadline. */
#ifndef KV_CLIENT_LIB_RESOLVE_H
#define KV_CLIENT_LIB_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/status.h"

enum {
    RESOLVE_ENDPOINT_MAX = 511, /* bytes of an endpoint */
    RESOLVE_ADDRESSES_MAX = 16, /* addresses of a host that are tried; others are ignored */
    RESOLVE_LOOKUPS_MAX = 16,   /* at a time in the process; lookups of one host are shared */
    RESOLVE_DESCRIPTORS = 5     /* a lookup may open: our eventfd, and the system's files and sockets */
};

typedef enum resolve_status {
    RESOLVE_DONE,
    RESOLVE_INVALID,     /* it is not an endpoint */
    RESOLVE_UNKNOWN,     /* there is no such host */
    RESOLVE_SILENT,      /* no name server answered in time */
    RESOLVE_FAILED,      /* the lookup failed; a later one may succeed */
    RESOLVE_REFUSED,     /* the host has several addresses; nobody listens at any */
    RESOLVE_UNREACHED,   /* several addresses; at least one did not answer in time */
    RESOLVE_INTERRUPTED, /* `interrupted` returned true, or `wake` was readable */
    RESOLVE_NO_MEMORY    /* memory, a thread or a descriptor was refused */
} resolve_status_t;

/* How long to wait, and what interrupts it. */
typedef struct resolve_wait {
    int64_t deadline;                   /* monotonic ms */
    int wake;                           /* a descriptor; the wait ends when it is readable; -1 = none */
    bool (*interrupted)(void *context); /* called after a signal; true ends the wait; NULL = none */
    void *context;                      /* given to it */
} resolve_wait_t;

/* Writes ENDPOINT into NUMERIC, with an address in place of the host name. If a host has several addresses,
 * tries them in the system's order, each for its part of the time, and takes the first that accepts a
 * connection. Copies an endpoint that is numeric or not tcp://. */
KV_MUST_USE resolve_status_t resolve_endpoint(const char *endpoint, const resolve_wait_t *wait,
                                              char numeric[RESOLVE_ENDPOINT_MAX + 1]);

/* What went wrong and what to do, for people: half a line. Static storage. */
const char *resolve_status_text(resolve_status_t status);

#endif
