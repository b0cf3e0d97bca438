/* SPDX-License-Identifier: MPL-2.0 */
/* Owns pages. A page decodes all rows when it is made. Only then may a terminating zero overwrite the byte
 * behind each text and value, where the encoding of the next begins. */
#include "client/lib/page.h"

#include <stdlib.h>

#include "client/lib/result.h"
#include "client/lib/sized.h"
#include "client/lib/value.h"
#include "client/slice.h"
#include "common/limits.h"

typedef struct stat_row {
    kvzmq_slice_t name;
    uint64_t number;
} stat_row_t;

struct kvzmq_page {
    page_kind_t kind;
    bool more;    /* more rows follow this page */
    uint64_t seq; /* of a list */
    size_t count; /* rows */
    size_t next;  /* index of the next row to return */
    char *bytes;  /* owned: the result and one more byte; rows borrow from it */
    void *rows;   /* owned: kvzmq_row_t, kvzmq_client_t or stat_row_t, by `kind` */
};

typedef struct listing {
    bytes_t rows; /* encoded array */
    bool more;
    uint64_t seq;
} listing_t;

typedef bool read_row_fn(bytes_t body, size_t *at, void *row);

static bool read_list_row(bytes_t body, size_t *at, void *row)
{
    kvzmq_row_t *read = row;
    rpc_value_t head;
    return rpc_read_value(body, at, &head) && head.type == RPC_ARRAY && head.as.count == 4 &&
           result_field(body, at, FIELD_SLICE, &read->key) && read->key.data != NULL &&
           result_field(body, at, FIELD_SLICE, &read->value) && read->value.data != NULL &&
           result_field(body, at, FIELD_UINT, &read->revision) &&
           result_field(body, at, FIELD_TTL, &read->ttl_ms);
}

static bool read_client_row(bytes_t body, size_t *at, void *row)
{
    static const field_t fields[] = {
        {"id", FIELD_SLICE, offsetof(kvzmq_client_t, id)},
        {"connected", FIELD_BOOL, offsetof(kvzmq_client_t, connected)},
        {"sessions", FIELD_UINT, offsetof(kvzmq_client_t, sessions)},
        {"role", FIELD_SLICE, offsetof(kvzmq_client_t, role)},
        {"claimed", FIELD_BOOL, offsetof(kvzmq_client_t, claimed)},
        {"peer", FIELD_SLICE, offsetof(kvzmq_client_t, peer)},
        {"since_ms", FIELD_UINT, offsetof(kvzmq_client_t, since_ms)},
        {"idle_ms", FIELD_UINT, offsetof(kvzmq_client_t, idle_ms)},
        {"keys", FIELD_UINT, offsetof(kvzmq_client_t, keys)},
        {"bytes", FIELD_UINT, offsetof(kvzmq_client_t, bytes)},
    };
    return result_map(body, at, fields, sizeof fields / sizeof *fields, row);
}

static bool read_stat_row(bytes_t body, size_t *at, void *row)
{
    stat_row_t *read = row;
    return result_field(body, at, FIELD_SLICE, &read->name) && read->name.data != NULL &&
           result_field(body, at, FIELD_UINT, &read->number);
}

/* Writes the terminating zero behind SLICE's bytes. Does nothing for nil. */
static void terminate(kvzmq_page_t *page, kvzmq_slice_t slice)
{
    if (slice.data != NULL)
        page->bytes[(size_t)(slice.data - page->bytes) + slice.size] = '\0';
}

static void terminate_list_row(kvzmq_page_t *page, const void *row)
{
    const kvzmq_row_t *read = row;
    terminate(page, read->key);
    terminate(page, read->value);
}

static void terminate_client_row(kvzmq_page_t *page, const void *row)
{
    const kvzmq_client_t *read = row;
    terminate(page, read->id);
    terminate(page, read->role);
    terminate(page, read->peer);
}

static void terminate_stat_row(kvzmq_page_t *page, const void *row)
{
    terminate(page, ((const stat_row_t *)row)->name);
}

static const struct {
    rpc_type_t container; /* of the rows */
    size_t row_size;      /* bytes of a decoded row */
    read_row_fn *read;
    void (*terminate)(kvzmq_page_t *page, const void *row);
} kinds[] = {
    [PAGE_LIST] = {RPC_ARRAY, sizeof(kvzmq_row_t), read_list_row, terminate_list_row},
    [PAGE_CLIENTS] = {RPC_ARRAY, sizeof(kvzmq_client_t), read_client_row, terminate_client_row},
    [PAGE_STATS] = {RPC_MAP, sizeof(stat_row_t), read_stat_row, terminate_stat_row},
};

/* Reads the map that contains the rows. The result of `stats` has no such map: it is the rows. */
static bool read_listing(page_kind_t kind, bytes_t body, listing_t *listing)
{
    static const field_t list[] = {
        {"entries", FIELD_BODY, offsetof(listing_t, rows)},
        {"more", FIELD_BOOL, offsetof(listing_t, more)},
        {"seq", FIELD_UINT, offsetof(listing_t, seq)},
    };
    static const field_t clients[] = {
        {"clients", FIELD_BODY, offsetof(listing_t, rows)},
        {"more", FIELD_BOOL, offsetof(listing_t, more)},
    };
    size_t at = 0;
    *listing = (listing_t){.rows = body};
    if (kind == PAGE_LIST)
        return result_map(body, &at, list, sizeof list / sizeof *list, listing);
    if (kind == PAGE_CLIENTS)
        return result_map(body, &at, clients, sizeof clients / sizeof *clients, listing);
    return true;
}

/* Decodes ROWS, which must be in `page->bytes`. */
static kvzmq_status_t read_rows(kvzmq_page_t *page, bytes_t rows)
{
    size_t at = 0;
    rpc_value_t head;
    if (!rpc_read_value(rows, &at, &head) || head.type != kinds[page->kind].container ||
        head.as.count > LIMIT_PAGE_ENTRIES)
        return KVZMQ_PROTOCOL;
    size_t size = kinds[page->kind].row_size;
    page->count = head.as.count;
    page->rows = calloc(page->count + 1, size);
    if (page->rows == NULL)
        return KVZMQ_NO_MEMORY;
    for (size_t i = 0; i < page->count; i++)
        if (!kinds[page->kind].read(rows, &at, (char *)page->rows + i * size))
            return KVZMQ_PROTOCOL;
    for (size_t i = 0; i < page->count; i++)
        kinds[page->kind].terminate(page, (char *)page->rows + i * size);
    return KVZMQ_OK;
}

kvzmq_status_t page_new(page_kind_t kind, bytes_t body, kvzmq_page_t **page)
{
    kvzmq_status_t status = KVZMQ_NO_MEMORY;
    listing_t listing;
    kvzmq_page_t *made = calloc(1, sizeof *made);
    if (made == NULL)
        goto cleanup;
    made->kind = kind;
    made->bytes = value_copy_bytes(body);
    if (made->bytes == NULL)
        goto cleanup;
    status = KVZMQ_PROTOCOL;
    if (!read_listing(kind, bytes_of(made->bytes, body.size), &listing))
        goto cleanup;
    made->more = listing.more;
    made->seq = listing.seq;
    status = read_rows(made, listing.rows);
    if (status != KVZMQ_OK)
        goto cleanup;
    *page = made;
    return KVZMQ_OK;

cleanup:
    kvzmq_page_destroy(&made);
    return status;
}

/* The key or id by which the rows of a page are sorted. */
static bytes_t name_of_row(const kvzmq_page_t *page, size_t index)
{
    const void *row = (const char *)page->rows + index * kinds[page->kind].row_size;
    kvzmq_slice_t name =
        page->kind == PAGE_LIST ? ((const kvzmq_row_t *)row)->key : ((const kvzmq_client_t *)row)->id;
    return slice_bytes(name);
}

bool page_is_of_range(const kvzmq_page_t *page, const kvzmq_range_t *range)
{
    bytes_t prefix = slice_bytes(range->prefix);
    bytes_t after = slice_bytes(range->after);
    for (size_t i = 0; i < page->count; i++) {
        bytes_t name = name_of_row(page, i);
        if (bytes_compare(name, after) <= 0 || !bytes_starts_with(name, prefix))
            return false;
        after = name;
    }
    bool within = range->limit == 0 || page->count <= range->limit;
    return within && (page->count > 0 || !page->more);
}

void kvzmq_page_destroy(kvzmq_page_t **page)
{
    kvzmq_page_t *gone = *page;
    *page = NULL;
    if (gone == NULL)
        return;
    free(gone->rows);
    free(gone->bytes);
    free(gone);
}

bool kvzmq_page_more(const kvzmq_page_t *page)
{
    return page->more;
}

size_t kvzmq_page_count(const kvzmq_page_t *page)
{
    return page->count;
}

uint64_t kvzmq_page_seq(const kvzmq_page_t *page)
{
    return page->seq;
}

/* The next row of a page of KIND, or NULL. */
static const void *next_row(kvzmq_page_t *page, page_kind_t kind)
{
    if (page->kind != kind || page->next == page->count)
        return NULL;
    return (const char *)page->rows + page->next++ * kinds[kind].row_size;
}

/* Copies the next row of a page of KIND to the application's struct ROW. False if there is none. */
static bool give_row(kvzmq_page_t *page, page_kind_t kind, void *row)
{
    const void *next = sized_is_set(row) ? next_row(page, kind) : NULL;
    if (next != NULL)
        sized_give(row, next, kinds[kind].row_size);
    return next != NULL;
}

bool kvzmq_page_next_sized(kvzmq_page_t *page, kvzmq_row_t *row)
{
    return give_row(page, PAGE_LIST, row);
}

bool kvzmq_page_next_client_sized(kvzmq_page_t *page, kvzmq_client_t *client)
{
    return give_row(page, PAGE_CLIENTS, client);
}

bool kvzmq_page_next_stat(kvzmq_page_t *page, const char **name, uint64_t *number)
{
    const stat_row_t *next = next_row(page, PAGE_STATS);
    if (next == NULL)
        return false;
    *name = next->name.data;
    *number = next->number;
    return true;
}
