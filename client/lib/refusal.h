/* SPDX-License-Identifier: MPL-2.0 */
/* Finds out why an endpoint refuses connections. ZeroMQ does not report it, the system does. */
#ifndef KV_CLIENT_LIB_REFUSAL_H
#define KV_CLIENT_LIB_REFUSAL_H

/* What is wrong with the path of ENDPOINT, if that is ipc://PATH. The text continues "cannot reach ENDPOINT:
 * ". NULL if nothing is known except that nobody listens. Static storage. */
const char *refusal_of_path(const char *endpoint);

#endif
