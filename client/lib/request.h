/* SPDX-License-Identifier: MPL-2.0 */
/* Requests as bytes: each function appends one whole request to a buffer. Knows nothing of connections.
 *
 * All return KVZMQ_OK; KVZMQ_INVALID_ARGUMENT where the arguments cannot be a request, *PROBLEM then says why
 * (for people, static storage); or KVZMQ_RESOURCE_EXHAUSTED where the buffer has no room, or memory was
 * refused. Where it is not KVZMQ_OK, the buffer is as before. Sizes that depend on the broker's configuration
 * are the broker's to check. */
#ifndef KV_CLIENT_LIB_REQUEST_H
#define KV_CLIENT_LIB_REQUEST_H

#include "client/include/kvzmq.h"
#include "common/buffer.h"

/* What the client knows of the protocol's methods. */
typedef enum method {
    METHOD_HELLO,
    METHOD_PING,
    METHOD_GET,
    METHOD_ENTRY,
    METHOD_PUT,
    METHOD_DEL,
    METHOD_LIST,
    METHOD_DIGEST,
    METHOD_AUTH,
    METHOD_BYE,
    METHOD_CLIENTS,
    METHOD_STATS,
    METHOD_ROLE,
    METHOD_FORGET,
    METHOD_WATCH,
    METHOD_ANY, /* one that is given by name; of no name itself */
    METHOD_COUNT
} method_t;

/* Its name on the wire. */
const char *method_name(method_t method);
/* Whether it changes something, so that it must not be sent twice. */
bool method_writes(method_t method);

/* Where a request goes to. */
typedef struct request_target {
    buffer_t *buffer;
    uint32_t msgid;
    const char *client;   /* NULL = the own store */
    const char **problem; /* set where KVZMQ_INVALID_ARGUMENT is returned */
} request_target_t;

/* METHOD_PING, BYE, STATS, and DIGEST. */
KV_MUST_USE kvzmq_status_t request_plain(request_target_t target, method_t method);
/* SECRET: size 0 = none. */
KV_MUST_USE kvzmq_status_t request_hello(request_target_t target, kvzmq_slice_t secret);
/* METHOD_AUTH (user, password), ROLE (client, role), FORGET (client; SECOND NULL). */
KV_MUST_USE kvzmq_status_t request_texts(request_target_t target, method_t method, const char *first,
                                         const char *second);
/* METHOD_GET, ENTRY. */
KV_MUST_USE kvzmq_status_t request_key(request_target_t target, method_t method, kvzmq_slice_t key);
KV_MUST_USE kvzmq_status_t request_put(request_target_t target, kvzmq_slice_t key, kvzmq_slice_t value,
                                       const kvzmq_put_options_t *options);
KV_MUST_USE kvzmq_status_t request_del(request_target_t target, kvzmq_slice_t key,
                                       const uint64_t *if_revision);
/* METHOD_LIST, CLIENTS. RANGE may be NULL. */
KV_MUST_USE kvzmq_status_t request_range(request_target_t target, method_t method,
                                         const kvzmq_range_t *range);
/* METHOD_WATCH: ON or off, from AFTER on (NULL = from now). */
KV_MUST_USE kvzmq_status_t request_watch(request_target_t target, bool on, const kvzmq_position_t *after);
/* Any method with params that are encoded already. */
KV_MUST_USE kvzmq_status_t request_encoded(request_target_t target, const char *name, kvzmq_slice_t params,
                                           unsigned flags);

#endif
