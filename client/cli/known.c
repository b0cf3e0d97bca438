/* SPDX-License-Identifier: MPL-2.0 */
/* Owns a tree of clients, each with a tree of keys: a store that is dropped goes in one piece. */
#include "client/cli/known.h"

#include <stdlib.h>

#include "client/named_tree.h"

/* A key. In a store that is whole, one that is absent has none. */
typedef struct item {
    bytes_t name; /* the key; in `storage`. First, as `store_t` has it: trees compare names */
    known_value_t value;
    uint8_t storage[];
} item_t;

typedef struct store {
    bytes_t name;  /* the client; in `storage` */
    void *items;   /* tree of item_t, owned */
    size_t bytes;  /* of memory that it takes with all items */
    bool complete; /* it began before our eyes: a key without an item is absent */
    bool gaps;     /* an item found no room: a key without one is anything */
    uint8_t storage[];
} store_t;

struct known {
    void *stores;  /* tree of store_t, owned */
    size_t bytes;  /* of memory that stores and items take */
    size_t limit;  /* bytes that `bytes` never exceeds */
    bool complete; /* all that there was has been told: a key without an item is absent */
    bool gaps;     /* a store found no room: a client without one has any keys */
};

enum { NODE_BYTES = 64 }; /* what a tree takes for a name, malloc's own included; an estimate */

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

/* Whether SIZE bytes more have room. */
static bool has_room(const known_t *known, size_t size)
{
    return size <= known->limit - known->bytes;
}

/* Whether a key of STORE without an item is absent. */
static bool store_is_whole(const known_t *known, const store_t *store)
{
    return (known->complete || store->complete) && !store->gaps;
}

/* CLIENT's store, made where there is none. NULL if there is no room for it. */
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

/* An item of its own memory; NULL if that is refused. */
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

/* Adds what is not in the tree. Returns false if there is no room. */
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
