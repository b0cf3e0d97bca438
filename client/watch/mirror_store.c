/* SPDX-License-Identifier: MPL-2.0 */
/* Two levels of balanced trees (tsearch(3)): clients by id, each with its entries by key. tsearch cannot find
 * the next key. So tree_next searches with a comparison that never returns 0, and remembers the last node
 * that was greater. */
#include "client/watch/mirror_store.h"

#include <stdlib.h>

#include "client/named_tree.h"
#include "common/digest.h"

typedef struct node {
    bytes_t name; /* the key; its bytes and the value's follow the struct */
    mirror_entry_t entry;
} node_t;

typedef struct shelf {
    bytes_t name; /* the client's id; its bytes follow the struct */
    void *nodes;  /* tree of node_t */
    mirror_summary_t summary;
} shelf_t;

struct mirror_store {
    void *shelves;    /* tree of shelf_t; a shelf without keys is freed */
    uint64_t clients; /* shelves */
    uint64_t keys;    /* of all */
};

/* ---- Trees ------------------------------------------------------------------------------------- */

/* A search for the first node after a name. */
typedef struct search {
    bytes_t name;
    bool inclusive;      /* also accept the name itself */
    const void *nearest; /* the last greater node that was visited */
} search_t;

/* tsearch(3) passes the search first and a node second. On the way down, each greater node is nearer than the
 * one before. */
static int compare_search(const void *wanted, const void *node)
{
    search_t *search = (search_t *)(uintptr_t)wanted;
    int order = named_tree_compare(&search->name, node);
    if (order > 0 || (order == 0 && !search->inclusive))
        return 1;
    search->nearest = node;
    return -1;
}

static const void *tree_next(void *const *tree, bytes_t after, bool inclusive)
{
    search_t search = {.name = after, .inclusive = inclusive};
    (void)tfind(&search, tree, compare_search);
    return search.nearest;
}

/* ---- Nodes ------------------------------------------------------------------------------------- */

static node_t *node_new(const mirror_entry_t *entry)
{
    node_t *node = malloc(sizeof *node + entry->key.size + entry->value.size);
    if (node == NULL)
        return NULL;
    uint8_t *bytes = (uint8_t *)(node + 1);
    if (entry->key.size > 0)
        memcpy(bytes, entry->key.data, entry->key.size);
    if (entry->value.size > 0)
        memcpy(bytes + entry->key.size, entry->value.data, entry->value.size);
    node->entry = *entry;
    node->entry.key.data = bytes;
    node->entry.value.data = bytes + entry->key.size;
    node->name = node->entry.key;
    return node;
}

/* Adds NODE to SHELF's summary, or removes it. */
static void account(mirror_store_t *store, shelf_t *shelf, const node_t *node, bool add)
{
    const mirror_entry_t *entry = &node->entry;
    shelf->summary.keys += add ? 1 : UINT64_MAX;
    store->keys += add ? 1 : UINT64_MAX;
    if (entry->has_value)
        shelf->summary.digest ^= digest_entry(entry->key, entry->binary, entry->value, entry->revision);
    else
        shelf->summary.hollow += add ? 1 : UINT64_MAX;
}

/* ---- Shelves ----------------------------------------------------------------------------------- */

static void shelf_free(void *shelf)
{
    tdestroy(((shelf_t *)shelf)->nodes, free);
    free(shelf);
}

static void shelf_remove(mirror_store_t *store, shelf_t *shelf)
{
    named_tree_remove(&store->shelves, shelf);
    store->clients--;
    store->keys -= shelf->summary.keys;
    shelf_free(shelf);
}

static shelf_t *shelf_get(mirror_store_t *store, bytes_t client)
{
    shelf_t *shelf = named_tree_find(&store->shelves, client);
    if (shelf != NULL)
        return shelf;
    shelf = calloc(1, sizeof *shelf + client.size);
    if (shelf == NULL)
        return NULL;
    if (client.size > 0)
        memcpy(shelf + 1, client.data, client.size);
    shelf->name = bytes_of(shelf + 1, client.size);
    if (named_tree_add(&store->shelves, shelf) == NULL) {
        free(shelf);
        return NULL;
    }
    store->clients++;
    return shelf;
}

/* ---- Stores ------------------------------------------------------------------------------------ */

mirror_store_t *mirror_store_new(void)
{
    return calloc(1, sizeof(mirror_store_t));
}

void mirror_store_clear(mirror_store_t *store)
{
    tdestroy(store->shelves, shelf_free);
    *store = (mirror_store_t){0};
}

void mirror_store_destroy(mirror_store_t **store)
{
    mirror_store_t *gone = *store;
    *store = NULL;
    if (gone == NULL)
        return;
    mirror_store_clear(gone);
    free(gone);
}

bool mirror_store_put(mirror_store_t *store, bytes_t client, const mirror_entry_t *entry)
{
    node_t *node = node_new(entry);
    shelf_t *shelf = node == NULL ? NULL : shelf_get(store, client);
    void **place = shelf == NULL ? NULL : named_tree_add(&shelf->nodes, node);
    if (place == NULL) {
        free(node);
        if (shelf != NULL && shelf->summary.keys == 0)
            shelf_remove(store, shelf);
        return false;
    }
    node_t *old = *place;
    if (old != node) { /* the tree compares names only, and these are equal */
        account(store, shelf, old, false);
        *place = node;
        free(old);
    }
    account(store, shelf, node, true);
    return true;
}

void mirror_store_del(mirror_store_t *store, bytes_t client, bytes_t key)
{
    shelf_t *shelf = named_tree_find(&store->shelves, client);
    node_t *node = shelf == NULL ? NULL : named_tree_find(&shelf->nodes, key);
    if (node == NULL)
        return;
    named_tree_remove(&shelf->nodes, node);
    account(store, shelf, node, false);
    free(node);
    if (shelf->summary.keys == 0)
        shelf_remove(store, shelf);
}

void mirror_store_drop(mirror_store_t *store, bytes_t client)
{
    shelf_t *shelf = named_tree_find(&store->shelves, client);
    if (shelf != NULL)
        shelf_remove(store, shelf);
}

bool mirror_store_get(const mirror_store_t *store, bytes_t client, bytes_t key, mirror_entry_t *entry)
{
    const shelf_t *shelf = named_tree_find(&store->shelves, client);
    const node_t *node = shelf == NULL ? NULL : named_tree_find(&shelf->nodes, key);
    if (node != NULL)
        *entry = node->entry;
    return node != NULL;
}

bool mirror_store_next(const mirror_store_t *store, bytes_t client, bytes_t after, bool inclusive,
                       mirror_entry_t *entry)
{
    const shelf_t *shelf = named_tree_find(&store->shelves, client);
    const node_t *node = shelf == NULL ? NULL : tree_next(&shelf->nodes, after, inclusive);
    if (node != NULL)
        *entry = node->entry;
    return node != NULL;
}

bool mirror_store_next_client(const mirror_store_t *store, bytes_t after, bytes_t *client)
{
    const shelf_t *shelf = tree_next(&store->shelves, after, false);
    if (shelf != NULL)
        *client = shelf->name;
    return shelf != NULL;
}

void mirror_store_summary(const mirror_store_t *store, bytes_t client, mirror_summary_t *summary)
{
    const shelf_t *shelf = named_tree_find(&store->shelves, client);
    *summary = shelf == NULL ? (mirror_summary_t){0} : shelf->summary;
}

void mirror_store_totals(const mirror_store_t *store, uint64_t *clients, uint64_t *keys)
{
    *clients = store->clients;
    *keys = store->keys;
}
