/* SPDX-License-Identifier: MPL-2.0 */
/* What the library must know about the system before it calls libzmq, which aborts the program if descriptors
 * run out, takes a signal for an error, and does not survive a fork. Does not know connections. */
#ifndef KV_CLIENT_LIB_SYSTEM_H
#define KV_CLIENT_LIB_SYSTEM_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

enum { SYSTEM_DESCRIPTORS_MAX = 32 }; /* that can be asked for at once */

/* Whether the process can open COUNT more descriptors now. Another thread may take them in between. */
KV_MUST_USE bool system_descriptors_free(unsigned count);

/* Blocks every signal in this thread; *BEFORE is for system_signals_restore. For calls that do not wait: a
 * call that waits must let signals through. */
void system_signals_block(sigset_t *before);
void system_signals_restore(const sigset_t *before);

/* Starts a thread with every signal blocked: signals are the application's, whose threads wait for them.
 * False if the system refuses it. */
KV_MUST_USE bool system_thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

/* TIMEOUT_MS as poll(2) takes it: 0 to INT_MAX. */
int system_poll_ms(int64_t timeout_ms);

/* Fills OUT with random bytes. False if the system has none. */
KV_MUST_USE bool system_random(void *out, size_t size);

/* A number that differs in each child of a fork. Objects made under another number belong to a parent
 * process: their threads do not exist here, and their locks may be held for ever. */
unsigned system_process(void);

/* Remembers MEMORY that belongs to a parent process: it cannot be freed here, as the parent's threads may
 * have been in the middle of changing it, and leak checkers should still see it. */
void system_abandon(void *memory);

#endif
