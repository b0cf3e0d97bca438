/* SPDX-License-Identifier: MPL-2.0 */
/* What a result means as the answer to a store method; the same for a call and for a request in a batch. */
#ifndef KV_CLIENT_LIB_ANSWER_H
#define KV_CLIENT_LIB_ANSWER_H

#include "client/lib/request.h"
#include "common/bytes.h"

/* Reads the encoded result of METHOD into *ANSWER, which borrows from it; members of other methods are 0, the
 * tag too. KVZMQ_OK, KVZMQ_ABSENT (nil where that means an absent key) or KVZMQ_PROTOCOL; the answer's status
 * is the same. */
KV_MUST_USE kvzmq_status_t answer_read(method_t method, bytes_t body, kvzmq_answer_t *answer);

#endif
