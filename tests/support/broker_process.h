/* SPDX-License-Identifier: MPL-2.0 */
/* A real kvbroker process for a test in C (cmocka). It runs the program that the environment variable
 * KVBROKER names, in a temporary folder of its own. Every wait is for a condition and has a bound. A failure
 * fails the test. The process never outlives the test. */
#ifndef KV_TESTS_SUPPORT_BROKER_PROCESS_H
#define KV_TESTS_SUPPORT_BROKER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The manager's account of every such broker. Its hash has the lowest cost, so that tests are quick. */
#define BROKER_USER     "adam"
#define BROKER_PASSWORD "eve"

enum {
    BROKER_OPTIONS_MAX = 16, /* options of a process */
    BROKER_PATH_SIZE = 256   /* bytes of a path or an endpoint with its terminating zero */
};

typedef struct broker_process {
    pid_t pid;                                   /* 0 = it does not run */
    char folder[BROKER_PATH_SIZE];               /* its temporary folder */
    char endpoint[BROKER_PATH_SIZE];             /* of the request socket, from the log */
    const char *options[BROKER_OPTIONS_MAX + 1]; /* "session/timeout=1", ..., NULL; borrowed */
    bool ipc; /* listens on ipc in the folder, so that a restart has the same endpoint */
} broker_process_t;

/* Starts a broker and waits until it is ready. OPTIONS are NULL-terminated, or NULL for none. */
void broker_process_start(broker_process_t *broker, bool ipc, const char *const *options);

/* Sends SIGSTOP, SIGCONT or the like. */
void broker_process_signal(const broker_process_t *broker, int signal);

/* Ends it with SIGKILL, like a crash. */
void broker_process_kill(broker_process_t *broker);

/* Ends it with SIGTERM. The test fails unless it ends with exit status 0 and without a sanitizer's report. */
void broker_process_end(broker_process_t *broker);

/* Starts it again with the same folder and options. Requires that it has ended. */
void broker_process_restart(broker_process_t *broker);

/* Waits until its log has TEXT at least COUNT times. */
void broker_process_wait_log(const broker_process_t *broker, const char *text, unsigned count);

/* Ends it like broker_process_end if it runs, and removes the folder. */
void broker_process_stop(broker_process_t *broker);

#endif
