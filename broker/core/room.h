/* SPDX-License-Identifier: MPL-2.0 */
/* Whether the answers of a payload fit: into limits/message, and into memory. PROTOCOL.md section 1. */
#ifndef KV_BROKER_CORE_ROOM_H
#define KV_BROKER_CORE_ROOM_H

#include "broker/core/session.h"

enum { ROOM_CHANGE = 512 }; /* bytes of the longest answer to a method that changes something */

/* Makes room for the answer of a request that changes something, or for an error: what is done can be told.
 * False if memory is refused: the payload ends here, and its session with it. */
bool room_prepare(batch_t *batch, const limits_t *limits);

/* Makes room for one more answer behind those that are pending, within LIMIT bytes: none of them may be
 * refused for want of room or memory when its outcome comes. False if that is in doubt: without pending ones
 * it is known. */
KV_MUST_USE bool room_behind(batch_t *batch, size_t limit);

/* Bytes of answers that may be there after the message just read, so that each one behind it, and a break,
 * can have its error (config_check.c keeps limits/message above that). How many those are is bounded by the
 * bytes left, or known once they were counted. */
size_t room_limit(const batch_t *batch, const limits_t *limits);
/* Counts the messages that are left, for a limit that is exact. False if that was done before. */
bool room_count(batch_t *batch);

#endif
