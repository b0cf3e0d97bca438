/* SPDX-License-Identifier: MPL-2.0 */
/* Chooses the entries of a page by the rules of `list` (PROTOCOL.md 5), and encodes them. */
#include "client/watch/mirror_page.h"

#include "client/slice.h"
#include "common/limits.h"
#include "common/rpc.h"

static void write_row(buffer_t *buffer, const mirror_entry_t *entry, int64_t now_ms)
{
    rpc_write_array(buffer, 4);
    rpc_write_str(buffer, entry->key);
    if (entry->binary)
        rpc_write_bin(buffer, entry->value);
    else
        rpc_write_str(buffer, entry->value);
    rpc_write_uint(buffer, entry->revision);
    if (entry->due_ms == INT64_MAX)
        rpc_write_nil(buffer);
    else
        rpc_write_uint(buffer, entry->due_ms > now_ms ? (uint64_t)(entry->due_ms - now_ms) : 0);
}

void mirror_page_write(const mirror_store_t *store, bytes_t client, const kvzmq_range_t *range, uint64_t seq,
                       int64_t now_ms, buffer_t *page)
{
    bytes_t prefix = slice_bytes(range->prefix);
    bytes_t from = slice_bytes(range->after);
    bool inclusive = bytes_compare(from, prefix) < 0;
    uint64_t limit = range->limit > 0 ? range->limit : LIMIT_PAGE_DEFAULT;
    uint32_t count = 0;
    mirror_entry_t entry;
    bool more = false;
    if (inclusive)
        from = prefix;
    rpc_write_map(page, 3);
    rpc_write_text(page, "entries");
    size_t mark = rpc_open_array(page);
    while (!page->failed && mirror_store_next(store, client, from, inclusive, &entry) &&
           bytes_starts_with(entry.key, prefix)) {
        more = count >= limit || (count > 0 && page->size - mark >= LIMIT_PAGE_BYTES);
        if (more)
            break;
        if (entry.has_value) {
            write_row(page, &entry, now_ms);
            count++;
        }
        from = entry.key;
        inclusive = false;
    }
    rpc_close_array(page, mark, count);
    rpc_write_text(page, "more");
    rpc_write_bool(page, more);
    rpc_write_text(page, "seq");
    rpc_write_uint(page, seq);
}
