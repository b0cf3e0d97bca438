/* SPDX-License-Identifier: MPL-2.0 */
/* All bounds of the protocol: those that are fixed, and those that a configuration may change, with their
 * defaults. */
#ifndef KV_COMMON_LIMITS_H
#define KV_COMMON_LIMITS_H

#include <stdint.h>

/* Fixed by the protocol or by ZeroMQ. */
enum {
    LIMIT_DEPTH = 8,        /* nesting of a message; the message's own array is level 1 */
    LIMIT_ROUTING_ID = 255, /* bytes of a ZeroMQ socket identity, zmq_setsockopt(3) */
    LIMIT_NAME = 200,       /* bytes of a valid name */
    LIMIT_SECRET_MIN = 16,  /* bytes of a name's secret */
    LIMIT_SECRET_MAX = 256,
    LIMIT_ENDPOINT = 287,         /* bytes of the endpoint in the answer to `events` */
    LIMIT_USER = 256,             /* bytes of an account's name in `auth` */
    LIMIT_PASSWORD = 1024,        /* bytes of a password in `auth` */
    LIMIT_KEY_MAX = 1024,         /* highest value of limits/key */
    LIMIT_PAGE_ENTRIES = 10000,   /* highest `limit` of a page */
    LIMIT_PAGE_DEFAULT = 1000,    /* entries of a page if no `limit` is given */
    LIMIT_PAGE_BYTES = 1048576,   /* bytes of a page, unless its first entry is larger */
    LIMIT_ERROR_BYTES = 96,       /* bytes of a short error; each request of a payload has room for one */
    LIMIT_ENVELOPE_FRAMES = 16,   /* frames before the payload */
    LIMIT_WAITING_PAYLOADS = 1024 /* payloads of one session that wait behind a waiting request */
};

#define LIMIT_TTL_MS   (UINT64_C(1) << 53) /* highest ttl_ms: a double represents up to this exactly */
#define LIMIT_REVISION (UINT64_C(1) << 53) /* highest if_revision */

/* Bounds that the configuration may change (section limits). Sizes are bytes. */
typedef struct limits {
    uint64_t key;              /* of a key, at most LIMIT_KEY_MAX */
    uint64_t value;            /* of a value */
    uint64_t message;          /* of a frame, in or out */
    uint64_t batch;            /* messages in one payload */
    uint64_t clients;          /* clients at once */
    uint64_t keys_per_client;  /* entries in one store */
    uint64_t bytes_per_client; /* keys and values in one store */
    uint64_t bytes_total;      /* keys and values in all stores */
    uint64_t outstanding;      /* answers of one session that its peer has not taken */
} limits_t;

#define LIMITS_DEFAULT                                                                                       \
    {                                                                                                        \
        .key = 1024, .value = 1048576, .message = 8388608, .batch = 4096, .clients = 100000,                 \
        .keys_per_client = 10000000, .bytes_per_client = UINT64_C(1) << 30,                                  \
        .bytes_total = UINT64_C(4) << 30, .outstanding = 16777216                                            \
    }

#endif
