/* SPDX-License-Identifier: MPL-2.0 */
/* Pages: the rows of a listing, with the bytes they borrow. */
#ifndef KV_CLIENT_PAGE_H
#define KV_CLIENT_PAGE_H

#include "client/include/kvzmq.h"
#include "common/bytes.h"
#include "common/status.h"

typedef enum page_kind { PAGE_LIST, PAGE_CLIENTS, PAGE_STATS } page_kind_t;

/* Makes the page of a whole encoded result, which is copied. KVZMQ_PROTOCOL where it is not a result of that
 * kind, KVZMQ_NO_MEMORY. */
KV_MUST_USE kvzmq_status_t page_new(page_kind_t kind, bytes_t body, kvzmq_page_t **page);

#endif
