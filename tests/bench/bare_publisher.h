/* SPDX-License-Identifier: MPL-2.0 */
/* The lower bound for bench_events: a process with a ROUTER and an XPUB that admits anybody. It is given
 * recorded frames. For each request it publishes the next frames of the recording and sends the recorded
 * answer. It decodes, stores and logs nothing. */
#ifndef KV_TESTS_BENCH_BARE_PUBLISHER_H
#define KV_TESTS_BENCH_BARE_PUBLISHER_H

#include <stdint.h>
#include <sys/types.h>
#include <zmq.h>

enum { BARE_ENDPOINT_SIZE = 64, BARE_EVENTS_MAX = 8192 }; /* events of a recording */

typedef struct bare_publisher {
    pid_t pid;                         /* 0 if it is not running */
    char requests[BARE_ENDPOINT_SIZE]; /* where its ROUTER listens */
    char events[BARE_ENDPOINT_SIZE];   /* where its XPUB listens */
} bare_publisher_t;

typedef struct recording {
    uint32_t batch; /* events to publish for each request */
    uint32_t count; /* events in the recording */
    zmq_msg_t answer;
    zmq_msg_t frames[2 * BARE_EVENTS_MAX]; /* topic, payload, topic, payload, … */
} recording_t;

/* Starts the process with fork(2): call it before the program starts threads. Returns 0, or -1 on failure. */
int bare_publisher_start(bare_publisher_t *bare);
void bare_publisher_stop(bare_publisher_t *bare);

/* Replaces its recording with RECORDING. SOCKET is a DEALER connected to its ROUTER; requests sent through
 * the same socket afterwards get the new recording. */
void bare_publisher_teach(void *socket, const recording_t *recording);

#endif
