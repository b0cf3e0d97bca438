/* SPDX-License-Identifier: MPL-2.0 */
/* Outlets of a hub that do nothing. A test replaces those that it is about. */
#ifndef KV_TESTS_SUPPORT_IDLE_OUTLETS_H
#define KV_TESTS_SUPPORT_IDLE_OUTLETS_H

#include "broker/core/outlets.h"

/* Sends succeed and go nowhere, nothing is congested, nobody reads events, and no password can be verified.
 * All outlets get CONTEXT. */
outlets_t idle_outlets(void *context);

#endif
