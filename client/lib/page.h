/* SPDX-License-Identifier: MPL-2.0 */
/* Pages: the rows of a listing, with the bytes they borrow. */
#ifndef KV_CLIENT_LIB_PAGE_H
#define KV_CLIENT_LIB_PAGE_H

#include "client/include/kvzmq.h"
#include "common/bytes.h"
#include "common/status.h"

typedef enum page_kind { PAGE_LIST, PAGE_CLIENTS, PAGE_STATS } page_kind_t;

/* Makes the page of a whole encoded result, which is copied. KVZMQ_PROTOCOL where it is not a result of that
 * kind, KVZMQ_NO_MEMORY. */
KV_MUST_USE kvzmq_status_t page_new(page_kind_t kind, bytes_t body, kvzmq_page_t **page);

/* Whether PAGE, of a list or of clients, can be the answer to a request for RANGE: its rows lie in it and are
 * in order, and if there is more behind them, there are some to go on from. So a loop over pages ends,
 * whatever the broker answers. */
KV_MUST_USE bool page_is_of_range(const kvzmq_page_t *page, const kvzmq_range_t *range);

#endif
