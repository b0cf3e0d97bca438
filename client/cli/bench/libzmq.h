/* SPDX-License-Identifier: MPL-2.0 */
/* The libzmq that libkvzmq has loaded. The tool does not link it: it looks up functions at run time, and
 * works without them if they are not found. */
#ifndef KV_CLIENT_CLI_BENCH_LIBZMQ_H
#define KV_CLIENT_CLI_BENCH_LIBZMQ_H

#include <stddef.h>

/* Writes the version, such as "4.3.4"; "" if it is not known. */
void libzmq_version(char *text, size_t size);

/* Makes a context for CONNECTIONS to share (`zmq_context` of kvzmq_options_t). It has one I/O thread for all,
 * instead of one for each connection, which halves the processor time of the load. NULL if it cannot be made;
 * each connection then makes its own. */
void *libzmq_context_new(size_t connections);

/* Call it after the last connection is destroyed. *CONTEXT may be NULL, and is set to it. */
void libzmq_context_destroy(void **context);

#endif
