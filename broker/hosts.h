/* SPDX-License-Identifier: MPL-2.0 */
/* Endpoints as people write them, made into those that a socket can be bound to: the name of a host becomes
 * the addresses that it stands for, that of a network interface its address. (libzmq takes no host names
 * where it binds.) */
#ifndef KV_BROKER_HOSTS_H
#define KV_BROKER_HOSTS_H

#include "broker/endpoints.h"
#include "broker/settings.h"

/* Makes LIST (owned) of COUNT endpoints of WHAT ("requests", "events"). Of a name every address that this
 * machine has, IPv4 first; a name of which it has none, an address that it has not, a port or a folder that
 * may not be used are a problem: false, and one line in PROBLEM. May wait for a name server. Release with
 * hosts_release. */
KV_MUST_USE bool hosts_resolve(char *const *endpoints, unsigned count, const char *what,
                               endpoint_list_t *list, char *problem, size_t problem_size);
void hosts_release(endpoint_list_t *list);

/* Whether a broker could listen where SETTINGS say, as far as that can be known without listening: another
 * broker may listen there now. */
KV_MUST_USE bool hosts_check(const settings_t *settings, char *problem, size_t problem_size);

#endif
