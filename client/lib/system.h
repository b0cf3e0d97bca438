/* SPDX-License-Identifier: MPL-2.0 */
/* What the library must check or arrange before it calls libzmq: libzmq aborts the program if descriptors run
 * out, reports a signal as an error, and does not survive a fork. */
#ifndef KV_CLIENT_LIB_SYSTEM_H
#define KV_CLIENT_LIB_SYSTEM_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

enum { SYSTEM_DESCRIPTORS_MAX = 32 }; /* that can be requested at a time */

/* Whether the process can open COUNT more descriptors now. Another thread may use them before the caller
 * does. */
KV_MUST_USE bool system_descriptors_free(unsigned count);

/* Blocks every signal in this thread; pass *BEFORE to system_signals_restore. Not around calls that wait:
 * signals must be able to interrupt those. */
void system_signals_block(sigset_t *before);
void system_signals_restore(const sigset_t *before);

/* Starts a thread with every signal blocked: signals belong to the application's threads. False if the system
 * refuses it. */
KV_MUST_USE bool system_thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

/* TIMEOUT_MS for poll(2), limited to 0 to INT_MAX. */
int system_poll_ms(int64_t timeout_ms);

/* Fills OUT with random bytes. False if the system has none. */
KV_MUST_USE bool system_random(void *out, size_t size);

/* Identifies this process: the number differs in each child of a fork. An object made under another number
 * belongs to a parent process: its threads do not exist here, and its locks may be held for ever. */
unsigned system_process(void);

/* Keeps a reference to MEMORY that belongs to a parent process, so that leak checkers do not report it. It
 * cannot be freed here: the parent's threads may have been changing it at the fork. */
void system_abandon(void *memory);

#endif
