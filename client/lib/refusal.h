/* SPDX-License-Identifier: MPL-2.0 */
/* Why an endpoint refuses connections, as far as the system says; ZeroMQ does not say why. */
#ifndef KV_CLIENT_LIB_REFUSAL_H
#define KV_CLIENT_LIB_REFUSAL_H

/* What is wrong with the path of ENDPOINT, if that is ipc://PATH: a text that goes on "cannot reach ENDPOINT:
 * ". NULL: only that nobody listens there. Static storage. */
const char *refusal_of_path(const char *endpoint);

#endif
