/* SPDX-License-Identifier: MPL-2.0 */
/* A connection's options: a checked copy of the application's. */
#ifndef KV_CLIENT_LIB_OPTIONS_H
#define KV_CLIENT_LIB_OPTIONS_H

#include "client/include/kvzmq.h"
#include "common/status.h"

typedef struct options {
    kvzmq_options_t
        given; /* every default filled in; its pointers are owned copies, zmq_context and context apart */
    const char *problem; /* what is not valid, for people (static storage); NULL = nothing */
} options_t;

/* Copies GIVEN (NULL = the defaults). False if memory is refused. */
KV_MUST_USE bool options_init(options_t *options, const kvzmq_options_t *given);
/* Frees the copies; secret, user and password are wiped. */
void options_release(options_t *options);
/* Wipes the account. The session continues without it. */
void options_forget_account(options_t *options);

#endif
