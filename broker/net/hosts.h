/* SPDX-License-Identifier: MPL-2.0 */
/* Turns endpoints as people write them into those that a socket can be bound to: a host name becomes its
 * addresses, and a network interface its address. (libzmq does not bind to host names.) */
#ifndef KV_BROKER_NET_HOSTS_H
#define KV_BROKER_NET_HOSTS_H

#include "broker/core/settings.h"
#include "broker/net/listeners.h"

/* Makes LIST (owned) of the endpoints for requests, or of those for events. A name becomes all its addresses
 * of this machine, IPv4 first. False, and one line in PROBLEM, if a name or an address is not of this
 * machine, or a port, folder or group may not be used. May wait for a name server. Release with
 * hosts_release. */
KV_MUST_USE bool hosts_of_requests(const settings_t *settings, endpoint_list_t *list, char *problem,
                                   size_t problem_size);
KV_MUST_USE bool hosts_of_events(const settings_t *settings, endpoint_list_t *list, char *problem,
                                 size_t problem_size);
void hosts_release(endpoint_list_t *list);

/* Whether a broker could listen as SETTINGS say, as far as that can be checked without listening. Another
 * broker may listen there now. */
KV_MUST_USE bool hosts_check(const settings_t *settings, char *problem, size_t problem_size);

#endif
