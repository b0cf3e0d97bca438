/* SPDX-License-Identifier: MPL-2.0 */
/* Whether the answers of a payload fit: into limits/message, and into memory. PROTOCOL.md section 1. */
#ifndef KV_BROKER_CORE_ROOM_H
#define KV_BROKER_CORE_ROOM_H

#include "broker/core/session.h"

enum { ROOM_CHANGE = 512 }; /* bytes of the longest answer to a method that changes something */

/* Reserves memory for a short answer or an error, so that the outcome of a change can be reported. False if
 * memory is refused: the payload ends here, and so does its session. */
bool room_prepare(batch_t *batch, const limits_t *limits);

/* Reserves room, within LIMIT bytes, for the pending answers and one more, so that none of them fails for
 * lack of room or memory when its outcome comes. False if that is not certain: ask again when nothing is
 * pending. */
KV_MUST_USE bool room_behind(batch_t *batch, size_t limit);

/* The most bytes of answers that may be there after the message just read, so that each later message, and a
 * break in the payload, can still get its error (config_check.c keeps limits/message above that). The number
 * of later messages is bounded by the bytes left, or exact once they were counted. */
size_t room_limit(const batch_t *batch, const limits_t *limits);
/* Counts the messages that are left, so that room_limit is exact. False if that was done before. */
bool room_count(batch_t *batch);

#endif
