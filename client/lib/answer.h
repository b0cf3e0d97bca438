/* SPDX-License-Identifier: MPL-2.0 */
/* Turns the result of a store method into an answer. Calls and batches share this. */
#ifndef KV_CLIENT_LIB_ANSWER_H
#define KV_CLIENT_LIB_ANSWER_H

#include "client/lib/request.h"
#include "common/bytes.h"

/* Reads BODY, the encoded result of METHOD, into *ANSWER, which borrows from it. Members that METHOD does not
 * set are 0, and so is the tag. Returns the answer's status: KVZMQ_OK, KVZMQ_ABSENT (nil, if METHOD reports
 * an absent key this way) or KVZMQ_PROTOCOL. */
KV_MUST_USE kvzmq_status_t answer_read(method_t method, bytes_t body, kvzmq_answer_t *answer);

#endif
