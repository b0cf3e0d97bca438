/* SPDX-License-Identifier: MPL-2.0 */
/* The bound of every wait for something that must happen, as in waiting.py. */
#ifndef KV_TESTS_SUPPORT_WAITING_H
#define KV_TESTS_SUPPORT_WAITING_H

enum { TIMEOUT_MS = 60000 }; /* even on a busy machine only a hang takes so long */

#endif
