/* SPDX-License-Identifier: MPL-2.0 */
/* Ends floods of subscriptions. Before any call on an XPUB returns, libzmq 4.3.4 reads everything that a
 * subscriber sends (xpub_t::xread_activated). So a few subscribers that send without end can keep the loop in
 * one call and fill the memory. A thread of the guard checks whether the loop spent too much CPU time in one
 * such call, or memory grew too much meanwhile. It then closes every connection of the event socket, because
 * the flooding connection is unknown. The others come back by themselves. */
#ifndef KV_BROKER_NET_EVENT_GUARD_H
#define KV_BROKER_NET_EVENT_GUARD_H

#include "broker/net/listeners.h"

typedef struct event_guard event_guard_t;

/* Guards the calling thread's calls on a socket that is bound to COUNT endpoints. ENDPOINTS have real ports
 * and are borrowed. Returns NULL if memory or threads are refused. */
KV_MUST_USE event_guard_t *event_guard_new(char (*endpoints)[ENDPOINT_SIZE], unsigned count);
void event_guard_destroy(event_guard_t **guard);

/* Tells the guard whether there is nothing to guard (REST), so that its thread can sleep. A new guard rests.
 * Only the guarded thread may call this. */
void event_guard_rest(event_guard_t *guard, bool rest);

/* Call these before and after each call of libzmq on the socket. They do not nest. */
void event_guard_enter(event_guard_t *guard);
void event_guard_leave(event_guard_t *guard);

/* Whether the guard closed connections since the last call of this function. */
KV_MUST_USE bool event_guard_fired(event_guard_t *guard);

#endif
