/* SPDX-License-Identifier: MPL-2.0 */
/* A page of a mirrored store, encoded as a broker sends one, so that page_new can read it. Does not know
 * mirrors and their locks. */
#ifndef KV_CLIENT_WATCH_MIRROR_PAGE_H
#define KV_CLIENT_WATCH_MIRROR_PAGE_H

#include "client/watch/mirror_store.h"
#include "common/buffer.h"

/* Writes the entries of CLIENT in RANGE that have a value, as of SEQ, to PAGE. NOW_MS (monotonic) gives their
 * ttl. If memory is refused, PAGE has failed. */
void mirror_page_write(const mirror_store_t *store, bytes_t client, const kvzmq_range_t *range, uint64_t seq,
                       int64_t now_ms, buffer_t *page);

#endif
