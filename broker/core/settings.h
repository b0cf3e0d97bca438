/* SPDX-License-Identifier: MPL-2.0 */
/* The settings of a broker, given at its start and again by SIGHUP, from a file, the command line or a test.
 * Made by config.c.
 */
#ifndef KV_BROKER_CORE_SETTINGS_H
#define KV_BROKER_CORE_SETTINGS_H

#include <stdint.h>

#include "common/limits.h"

/* A name and the hash of what proves it: an account with its argon2id hash, or a client's name with its
 * secret's hash. Owned by the settings. */
typedef struct credential {
    char *name;
    char *hash;
} credential_t;

#define IPC_GROUP_OWN UINT64_MAX /* ipc_access_t.group: the group of the process */

/* Who may connect to an ipc path: every user who may write to its socket file. */
typedef struct ipc_access {
    uint64_t mode;  /* permissions, chmod(2) */
    uint64_t group; /* a number, chown(2), or IPC_GROUP_OWN */
} ipc_access_t;

typedef struct settings {
    char **requests; /* endpoints of the request socket, at least one */
    unsigned request_count;
    char **events; /* endpoints of the event socket, at least one */
    unsigned event_count;
    char **advertised; /* listen/advertise: endpoints that managers get instead of `events`; often none */
    unsigned advertised_count;
    ipc_access_t ipc;   /* listen/ipc_mode, listen/ipc_group */
    int64_t timeout_ms; /* session/timeout: a session without a message for so long ends */
    uint64_t first_id;  /* ids/first, ids/last: the port-mimicking range, both included */
    uint64_t last_id;
    credential_t *managers; /* managers/NAME, sorted by name */
    unsigned manager_count;
    credential_t *names; /* names/NAME, sorted by name */
    unsigned name_count;
    uint64_t events_keep;       /* events/keep: events in the log */
    uint64_t events_keep_bytes; /* events/keep_bytes: bytes of them */
    uint64_t events_inline;     /* events/inline: bytes of a value that an event carries */
    limits_t limits;            /* limits/... */
} settings_t;

#endif
