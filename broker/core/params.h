/* SPDX-License-Identifier: MPL-2.0 */
/* The params of requests: which kinds there are, and how the params of a message become a struct for its
 * handler. Types and bounds are checked here, from tables; a handler sees only valid params. */
#ifndef KV_BROKER_CORE_PARAMS_H
#define KV_BROKER_CORE_PARAMS_H

#include "common/limits.h"
#include "common/rpc.h"

/* What a param means. */
typedef enum param {
    PARAM_NONE, /* ends a list of params */
    PARAM_KEY,
    PARAM_VALUE,
    PARAM_PREFIX,
    PARAM_USER,
    PARAM_PASSWORD,
    PARAM_CLIENT,
    PARAM_ROLE,
    PARAM_AFTER, /* a seq */
    PARAM_BOOL,
    PARAM_OPTIONS
} param_t;

/* Options: bits, so that a method can name the ones it takes. */
enum {
    OPTION_SECRET = 1 << 0,
    OPTION_TTL_MS = 1 << 1,
    OPTION_IF_REVISION = 1 << 2,
    OPTION_AFTER = 1 << 3,
    OPTION_LIMIT = 1 << 4,
    OPTION_PREFIX = 1 << 5,
    OPTION_CREATE = 1 << 6,
    OPTION_AFTER_SEQ = 1 << 7, /* also called `after`, but a seq */
    OPTION_OF_CLIENT = 1 << 8, /* called `client`: a filter, need not exist */
    OPTION_EPOCH = 1 << 9
};

enum { PARAMS_MAX = 4, PARAM_PROBLEM_SIZE = 200, PARAM_CLIENT_DIGITS = 20 };

/* Params as their handler gets them. Slices borrow from the payload; the digits of a client given as a number
 * are in this struct. */
typedef struct args {
    bytes_t key;
    bytes_t value;
    bool binary;    /* the value is bin */
    bytes_t prefix; /* a param or an option; empty if not given */
    bytes_t user;
    bytes_t password;
    bytes_t client;
    bool manager;   /* the role is manager, else guest */
    unsigned given; /* options that were given: bits OPTION_... */
    bytes_t secret;
    uint64_t ttl_ms;      /* 0 if not given */
    uint64_t if_revision; /* REVISION_ANY if not given */
    bytes_t after;
    uint64_t limit; /* LIMIT_PAGE_DEFAULT if not given */
    bool create;
    bool flag;          /* of `watch` */
    uint64_t after_seq; /* a param or an option */
    bytes_t of_client;
    bytes_t epoch;
    char digits[PARAM_CLIENT_DIGITS + 1];
} args_t;

void args_init(args_t *args);

/* Binds MESSAGE's params from index FIRST on to ARGS. PARAMS says what each one means (PARAM_NONE ends it),
 * REQUIRED how many must be given, OPTIONS which options are allowed. STATUS_INVALID_ARGUMENT, with one line
 * in PROBLEM, if their number, types or bounds are wrong. */
KV_MUST_USE status_t args_bind(args_t *args, const rpc_message_t *message, uint32_t first,
                               const param_t params[PARAMS_MAX], uint32_t required, unsigned options,
                               const limits_t *limits, char problem[PARAM_PROBLEM_SIZE]);

/* Binds only param I, as args_bind does: for `manage`, whose other params depend on it. */
KV_MUST_USE status_t args_bind_one(args_t *args, const rpc_message_t *message, uint32_t i, param_t param,
                                   const limits_t *limits, char problem[PARAM_PROBLEM_SIZE]);

#endif
