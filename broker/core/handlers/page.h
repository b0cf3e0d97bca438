/* SPDX-License-Identifier: MPL-2.0 */
/* A page of an answer: an array of rows, up to a number of them and a number of bytes, but with one row at
 * least. Knows nothing of what a row is. */
#ifndef KV_BROKER_CORE_HANDLERS_PAGE_H
#define KV_BROKER_CORE_HANDLERS_PAGE_H

#include "broker/core/request.h"

typedef struct page {
    buffer_t *answer;
    size_t bytes_max; /* LIMIT_PAGE_BYTES, less where messages are kept short */
    uint64_t rows_max;
    size_t begin;  /* byte of the answer at which the array begins */
    size_t end;    /* byte behind the last row that is in */
    uint32_t rows; /* that are in */
} page_t;

/* Opens an array in REQUEST's answer for at most request->args.limit rows. */
page_t page_begin(request_t *request);
/* Whether one more row may be written behind those that are in. */
KV_MUST_USE bool page_open(const page_t *page);
/* Takes in the row that was written. False if it does not fit: it is cut off then. */
KV_MUST_USE bool page_add(page_t *page);
/* Closes the array. */
void page_end(page_t *page);

#endif
