/* SPDX-License-Identifier: MPL-2.0 */
/* The handlers that methods.def names, one for each method. Each gets its params bound and checked in
 * request->args. */
#ifndef KV_BROKER_CORE_HANDLERS_HANDLERS_H
#define KV_BROKER_CORE_HANDLERS_HANDLERS_H

#include "broker/core/request.h"

handler_fn handle_hello, handle_ping, handle_bye;                                        /* session.c */
handler_fn handle_get, handle_entry, handle_put, handle_del, handle_list, handle_digest; /* store.c */
handler_fn handle_auth;                                                                  /* auth.c */
handler_fn handle_clients, handle_role, handle_forget, handle_stats;                     /* fleet.c */

handler_fn handle_events, handle_replay, handle_watch; /* events.c */

/* These complete a request after its command was applied; those of auth and hello, also after other waits. */
finish_fn finish_hello, finish_bye, finish_put, finish_del, finish_auth, finish_role, finish_forget;

#endif
