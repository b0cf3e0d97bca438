/* SPDX-License-Identifier: MPL-2.0 */
/* Outlets of a hub that do nothing. A test replaces what it is about. */
#ifndef KV_TESTS_SUPPORT_IDLE_OUTLETS_H
#define KV_TESTS_SUPPORT_IDLE_OUTLETS_H

#include "broker/core/outlets.h"

/* Everything is sent, to nowhere, and nothing is congested; nobody reads events; no password can be verified.
 * Each member's CONTEXT is as given. */
outlets_t idle_outlets(void *context);

#endif
