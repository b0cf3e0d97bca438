/* SPDX-License-Identifier: MPL-2.0 */
/* Owns a tree of clients, each with a tree of keys, so that a dropped store can be freed as a whole. */
#include "client/cli/known.h"

#include <stdlib.h>

#include "client/named_tree.h"

/* A key and its value. In a complete store, an absent key has no item. */
typedef struct item {
    bytes_t name; /* the key; in `storage`. Must be first, as in `store_t`: trees compare it */
    known_value_t value;
    uint8_t storage[];
} item_t;

typedef struct store {
    bytes_t name;  /* the client; in `storage` */
    void *items;   /* tree of item_t, owned */
    size_t bytes;  /* memory of the store and its items */
    bool complete; /* seen from its beginning: a key without item is absent */
    bool gaps;     /* an item found no room: a key without item is not known */
    uint8_t storage[];
} store_t;

struct known {
    void *stores;  /* tree of store_t, owned */
    size_t bytes;  /* memory of all stores and items */
    size_t limit;  /* maximum of `bytes` */
    bool complete; /* all entries were set: a key without item is absent */
    bool gaps;     /* a store found no room: a client without store is not known */
};

enum { NODE_BYTES = 64 }; /* estimated memory of a tree for each name, with malloc's overhead */

static void store_free(void *node)
{
    store_t *store = node;
    tdestroy(store->items, free);
    free(store);
}

known_t *known_new(size_t limit)
{
    known_t *known = calloc(1, sizeof *known);
    if (known != NULL)
        known->limit = limit;
    return known;
}

void known_destroy(known_t **known)
{
    if (*known == NULL)
        return;
    known_forget(*known);
    free(*known);
    *known = NULL;
}

void known_forget(known_t *known)
{
    tdestroy(known->stores, store_free);
    known->stores = NULL;
    known->bytes = 0;
    known->complete = false;
    known->gaps = false;
}

void known_complete(known_t *known)
{
    known->complete = true;
}

/* ---- Stores ----------------------------------------------------------------------------------- */

/* Whether there is room for SIZE more bytes. */
static bool has_room(const known_t *known, size_t size)
{
    return size <= known->limit - known->bytes;
}

/* Whether a key of STORE without item is absent. */
static bool store_is_whole(const known_t *known, const store_t *store)
{
    return (known->complete || store->complete) && !store->gaps;
}

/* CLIENT's store, made if there is none. NULL if there is no room for it. */
static store_t *store_get(known_t *known, bytes_t client)
{
    store_t *store = named_tree_find(&known->stores, client);
    if (store != NULL)
        return store;
    size_t size = sizeof *store + client.size + NODE_BYTES;
    if (!has_room(known, size) || (store = calloc(1, size)) == NULL)
        return NULL;
    if (client.size > 0)
        memcpy(store->storage, client.data, client.size);
    store->name = bytes_of(store->storage, client.size);
    store->bytes = size;
    if (named_tree_add(&known->stores, store) == NULL) {
        free(store);
        return NULL;
    }
    known->bytes += size;
    return store;
}

void known_begin(known_t *known, bytes_t client)
{
    store_t *store = named_tree_find(&known->stores, client);
    if (store != NULL) {
        named_tree_remove(&known->stores, store);
        known->bytes -= store->bytes;
        store_free(store);
    }
    store = store_get(known, client);
    if (store != NULL)
        store->complete = true;
    else
        known->gaps = true;
}

/* ---- Items ------------------------------------------------------------------------------------ */

known_value_t known_find(const known_t *known, bytes_t client, bytes_t key)
{
    const store_t *store = named_tree_find(&known->stores, client);
    const item_t *item = store == NULL ? NULL : named_tree_find(&store->items, key);
    if (item != NULL)
        return item->value;
    bool absent = store == NULL ? known->complete && !known->gaps : store_is_whole(known, store);
    return (known_value_t){.state = absent ? KNOWN_ABSENT : KNOWN_NOT};
}

static size_t item_bytes(const item_t *item)
{
    return sizeof *item + item->name.size + item->value.bytes.size + NODE_BYTES;
}

static void item_remove(known_t *known, store_t *store, bytes_t key)
{
    item_t *item = named_tree_find(&store->items, key);
    if (item == NULL)
        return;
    named_tree_remove(&store->items, item);
    store->bytes -= item_bytes(item);
    known->bytes -= item_bytes(item);
    free(item);
}

/* Makes an item. NULL if memory is refused. */
static item_t *item_new(bytes_t key, const known_value_t *value)
{
    item_t *item = calloc(1, sizeof *item + key.size + value->bytes.size);
    if (item == NULL)
        return NULL;
    item->value = *value;
    item->name = bytes_of(item->storage, key.size);
    item->value.bytes = bytes_of(item->storage + key.size, value->bytes.size);
    if (key.size > 0)
        memcpy(item->storage, key.data, key.size);
    if (value->bytes.size > 0)
        memcpy(item->storage + key.size, value->bytes.data, value->bytes.size);
    return item;
}

/* Adds KEY, which must not be in the tree. False if there is no room. */
static bool item_add(known_t *known, store_t *store, bytes_t key, const known_value_t *value)
{
    if (!has_room(known, sizeof(item_t) + key.size + value->bytes.size + NODE_BYTES))
        return false;
    item_t *item = item_new(key, value);
    if (item == NULL || named_tree_add(&store->items, item) == NULL) {
        free(item);
        return false;
    }
    store->bytes += item_bytes(item);
    known->bytes += item_bytes(item);
    return true;
}

void known_set(known_t *known, bytes_t client, bytes_t key, const known_value_t *value)
{
    store_t *store = store_get(known, client);
    if (store == NULL) {
        known->gaps = true;
        return;
    }
    item_remove(known, store, key);
    bool implied = value->state == KNOWN_ABSENT && store_is_whole(known, store);
    if (!implied && !item_add(known, store, key, value))
        store->gaps = true;
}
