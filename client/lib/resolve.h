/* SPDX-License-Identifier: MPL-2.0 */
/* Finds the address to connect to. libzmq would look a host's name up in its I/O thread, where nothing can
 * end it before the name server answers or the system gives up, 10 seconds and more; and it would try one
 * address only. Here a lookup has a thread of its own. If the time is over, the caller does not wait for it.
 */
#ifndef KV_CLIENT_LIB_RESOLVE_H
#define KV_CLIENT_LIB_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/status.h"

enum {
    RESOLVE_ENDPOINT_MAX = 511, /* bytes of an endpoint */
    RESOLVE_ADDRESSES_MAX = 16, /* of a host that are tried; more are ignored */
    RESOLVE_LOOKUPS_MAX = 16,   /* under way in the process at once; those of one host are one */
    RESOLVE_DESCRIPTORS = 5     /* that a lookup may open: our event, and the system's files and sockets */
};

typedef enum resolve_status {
    RESOLVE_DONE,
    RESOLVE_INVALID,     /* it is not an endpoint */
    RESOLVE_UNKNOWN,     /* there is no such host */
    RESOLVE_SILENT,      /* no name server answered in time */
    RESOLVE_FAILED,      /* the name cannot be looked up now; later perhaps */
    RESOLVE_REFUSED,     /* the host has several addresses, and nobody listens at any */
    RESOLVE_UNREACHED,   /* it has several, and at least one did not answer in time */
    RESOLVE_INTERRUPTED, /* `interrupted` said so, or `wake` was readable */
    RESOLVE_NO_MEMORY    /* memory, a thread or descriptors are refused */
} resolve_status_t;

/* How long to wait. */
typedef struct resolve_wait {
    int64_t deadline;                   /* monotonic ms */
    int wake;                           /* a descriptor that ends the wait once it is readable; -1 = none */
    bool (*interrupted)(void *context); /* asked when a signal handler has run; NULL = none */
    void *context;                      /* given to it */
} resolve_wait_t;

/* Writes ENDPOINT into NUMERIC with an address in place of a host's name. A host with several addresses: the
 * first that accepts a connection, tried in the order that the system gives, each for its part of the time.
 * What is not tcp:// or is numeric already is copied. */
KV_MUST_USE resolve_status_t resolve_endpoint(const char *endpoint, const resolve_wait_t *wait,
                                              char numeric[RESOLVE_ENDPOINT_MAX + 1]);

/* What went wrong and what to do, for people, in half a line. Static storage. */
const char *resolve_status_text(resolve_status_t status);

#endif
