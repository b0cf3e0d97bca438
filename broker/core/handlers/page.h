/* SPDX-License-Identifier: MPL-2.0 */
/* A page of an answer: an array of rows, limited in number and in bytes, but with one row at least. Knows
 * nothing about the rows. */
#ifndef KV_BROKER_CORE_HANDLERS_PAGE_H
#define KV_BROKER_CORE_HANDLERS_PAGE_H

#include "broker/core/request.h"

typedef struct page {
    buffer_t *answer;
    size_t bytes_max; /* LIMIT_PAGE_BYTES, or less if limits/message is small */
    uint64_t rows_max;
    size_t begin;  /* byte of the answer at which the array begins */
    size_t end;    /* byte after the last row of the page */
    uint32_t rows; /* of the page so far */
} page_t;

/* Opens an array in REQUEST's answer for at most request->args.limit rows. */
page_t page_begin(request_t *request);
/* Whether one more row may be written. */
KV_MUST_USE bool page_open(const page_t *page);
/* Adds the row that was just written. False if it does not fit: the page ends before it. */
KV_MUST_USE bool page_add(page_t *page);
/* Closes the array. */
void page_end(page_t *page);

#endif
