/* SPDX-License-Identifier: MPL-2.0 */
/* Encodes requests: each function appends one whole request to a buffer.
 *
 * Each returns KVZMQ_OK; KVZMQ_INVALID_ARGUMENT if the arguments cannot be a request (*PROBLEM then says why,
 * for people, static storage); or KVZMQ_RESOURCE_EXHAUSTED if the buffer has no room or memory was refused.
 * On failure the buffer is unchanged. Limits that depend on the broker's configuration are not checked here.
 */
#ifndef KV_CLIENT_LIB_REQUEST_H
#define KV_CLIENT_LIB_REQUEST_H

#include "client/include/kvzmq.h"
#include "common/buffer.h"

/* The protocol's methods that the library calls. */
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
    METHOD_ANY, /* a method that the caller names */
    METHOD_COUNT
} method_t;

/* The method's name on the wire. */
const char *method_name(method_t method);
/* Whether the method changes something. Such a request must not be sent twice. */
bool method_writes(method_t method);

/* Where to write a request, and what all requests have. */
typedef struct request_target {
    buffer_t *buffer;
    uint32_t msgid;
    const char *client;   /* NULL = the own store */
    const char **problem; /* set if KVZMQ_INVALID_ARGUMENT is returned */
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
/* METHOD_WATCH: ON or off. AFTER: the last change already seen; NULL = begin now. */
KV_MUST_USE kvzmq_status_t request_watch(request_target_t target, bool on, const kvzmq_position_t *after);
/* Any method, with encoded params. */
KV_MUST_USE kvzmq_status_t request_encoded(request_target_t target, const char *name, kvzmq_slice_t params,
                                           unsigned flags);

#endif
