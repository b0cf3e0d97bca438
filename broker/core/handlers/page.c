/* SPDX-License-Identifier: MPL-2.0 */
/* Owns where a page ends. */
#include "broker/core/handlers/page.h"

#include "broker/core/hub_state.h"

page_t page_begin(request_t *request)
{
    uint64_t share = request->hub->settings->limits.message / 8;
    page_t page = {
        .answer = request->answer,
        .bytes_max = share < LIMIT_PAGE_BYTES ? (size_t)share : LIMIT_PAGE_BYTES,
        .rows_max = request->args.limit,
        .begin = rpc_open_array(request->answer),
    };
    page.end = page.answer->size;
    return page;
}

bool page_open(const page_t *page)
{
    return page->rows < page->rows_max && !page->answer->failed;
}

bool page_add(page_t *page)
{
    if (page->answer->failed)
        return false;
    if (page->rows > 0 && page->answer->size - page->begin > page->bytes_max) {
        buffer_truncate(page->answer, page->end);
        return false;
    }
    page->end = page->answer->size;
    page->rows++;
    return true;
}

void page_end(page_t *page)
{
    rpc_close_array(page->answer, page->begin, page->rows);
}
