/* SPDX-License-Identifier: MPL-2.0 */
/* Why an endpoint turns connections away, as far as the system says: ZeroMQ tells only that it does. */
#ifndef KV_CLIENT_REFUSAL_H
#define KV_CLIENT_REFUSAL_H

/* What is wrong with the path of ENDPOINT, if that is ipc://PATH: a text that goes on "cannot reach ENDPOINT:
 * ". NULL: nothing but that nobody listens there. Static storage. */
const char *refusal_of_path(const char *endpoint);

#endif
