/* SPDX-License-Identifier: MPL-2.0 */
/* Pages: the rows of a listing, and the bytes from which they borrow. */
#ifndef KV_CLIENT_LIB_PAGE_H
#define KV_CLIENT_LIB_PAGE_H

#include "client/include/kvzmq.h"
#include "common/bytes.h"
#include "common/status.h"

typedef enum page_kind { PAGE_LIST, PAGE_CLIENTS, PAGE_STATS } page_kind_t;

/* Makes a page from BODY, a whole encoded result, which it copies. KVZMQ_PROTOCOL if BODY is not a result of
 * KIND; KVZMQ_NO_MEMORY. */
KV_MUST_USE kvzmq_status_t page_new(page_kind_t kind, bytes_t body, kvzmq_page_t **page);

/* Whether PAGE (a list or clients) can be the answer to a request for RANGE: its rows are in RANGE and in
 * order, and if more follow, it is not empty. So a loop over pages ends, even if the broker is faulty. */
KV_MUST_USE bool page_is_of_range(const kvzmq_page_t *page, const kvzmq_range_t *range);

#endif
