/* SPDX-License-Identifier: MPL-2.0 */
/* The floor of bench_events: a process with a ROUTER and an XPUB that admits anybody. It is taught frames
 * that were recorded, and for each request it publishes the next ones of them and sends the recorded answer.
 * It decodes, stores and logs nothing. */
#ifndef KV_TESTS_BENCH_BARE_PUBLISHER_H
#define KV_TESTS_BENCH_BARE_PUBLISHER_H

#include <stdint.h>
#include <sys/types.h>
#include <zmq.h>

enum { BARE_ENDPOINT_SIZE = 64, BARE_EVENTS_MAX = 8192 }; /* events of a recording */

typedef struct bare_publisher {
    pid_t pid;                         /* 0 = it does not run */
    char requests[BARE_ENDPOINT_SIZE]; /* where its ROUTER listens */
    char events[BARE_ENDPOINT_SIZE];   /* where its XPUB does */
} bare_publisher_t;

typedef struct recording {
    uint32_t batch; /* events to publish for a request */
    uint32_t count; /* events in it */
    zmq_msg_t answer;
    zmq_msg_t frames[2 * BARE_EVENTS_MAX]; /* topic and payload in turn */
} recording_t;

/* Starts the process; to be called before there are threads. Returns 0, or -1. */
int bare_publisher_start(bare_publisher_t *bare);
void bare_publisher_stop(bare_publisher_t *bare);

/* Teaches it RECORDING, in place of what it knew, through SOCKET, a DEALER that is connected to its ROUTER.
 * What is sent through the same socket comes after it. */
void bare_publisher_teach(void *socket, const recording_t *recording);

#endif
