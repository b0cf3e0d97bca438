/* SPDX-License-Identifier: MPL-2.0 */
/* The libzmq that libkvzmq has brought along. The tool does not link it, so it looks up what it needs at run
 * time, and does without if that is not there. */
#ifndef KV_CLIENT_CLI_BENCH_LIBZMQ_H
#define KV_CLIENT_CLI_BENCH_LIBZMQ_H

#include <stddef.h>

/* Writes its version, such as "4.3.4", and "" if that is not known. */
void libzmq_version(char *text, size_t size);

/* A context that CONNECTIONS can share (`zmq_context` of kvzmq_options_t): it has one thread for all of them,
 * where each would have one of its own. That halves the processor time of the load. NULL if it cannot be
 * made: then each connection makes its own. */
void *libzmq_context_new(size_t connections);

/* Call it after the last connection is destroyed. *CONTEXT may be NULL, and is set to it. */
void libzmq_context_destroy(void **context);

#endif
