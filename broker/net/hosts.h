/* SPDX-License-Identifier: MPL-2.0 */
/* Turns the endpoints of the configuration into endpoints that a socket can be bound to. A host name becomes
 * its addresses, and a network interface its address. (libzmq does not bind to host names.) */
#ifndef KV_BROKER_NET_HOSTS_H
#define KV_BROKER_NET_HOSTS_H

#include "broker/core/settings.h"
#include "broker/net/listeners.h"

/* Fills LIST with the endpoints for requests, or for events; release it with hosts_release. A name becomes
 * all its addresses on this machine, IPv4 first. Returns false with one line in PROBLEM if a name or an
 * address does not belong to this machine, or if a port, folder or group may not be used. May wait for a name
 * server. */
KV_MUST_USE bool hosts_of_requests(const settings_t *settings, endpoint_list_t *list, char *problem,
                                   size_t problem_size);
KV_MUST_USE bool hosts_of_events(const settings_t *settings, endpoint_list_t *list, char *problem,
                                 size_t problem_size);
void hosts_release(endpoint_list_t *list);

/* Whether a broker could listen as SETTINGS say, as far as that can be checked without listening. It is not a
 * problem if another broker listens there now. On failure, writes one line to PROBLEM. */
KV_MUST_USE bool hosts_check(const settings_t *settings, char *problem, size_t problem_size);

#endif
