/* SPDX-License-Identifier: MPL-2.0 */
/* An ordered map from byte strings to pointers, for the clients and the tickets: a tree of records that it
 * owns. Knows nothing about what the pointers point to. Not thread-safe. */
#ifndef KV_BROKER_ENGINE_OMAP_H
#define KV_BROKER_ENGINE_OMAP_H

#include "broker/engine/slab.h"
#include "broker/engine/tree.h"
#include "common/bytes.h"
#include "common/status.h"

/* All private. */
typedef struct omap {
    slab_t slab; /* of the records and of the tree's nodes */
    tree_t tree;
} omap_t;

/* Makes an empty map, which must not be moved. Allocates nothing. */
void omap_init(omap_t *map);
/* Frees everything but what the pointers point to. The map is empty and usable again. */
void omap_release(omap_t *map);

/* The pointer stored under KEY, or NULL. */
void *omap_find(const omap_t *map, bytes_t key);
/* Stores POINTER (not NULL) under KEY, at most 1,024 bytes; it replaces what was stored there. False if
 * memory is refused: nothing has changed then. */
KV_MUST_USE bool omap_put(omap_t *map, bytes_t key, void *pointer);
/* Removes KEY. Returns whether it was there. Never fails for want of memory. */
bool omap_remove(omap_t *map, bytes_t key);

/* ---- In order --------------------------------------------------------------------------------- */

typedef struct omap_entry {
    bytes_t key; /* borrowed until the map is next changed */
    void *pointer;
} omap_entry_t;

/* A place between two entries. Valid until the map is next changed: call omap_seek again after that. All
 * private. */
typedef struct omap_cursor {
    const omap_t *map;
    tree_cursor_t place;
} omap_cursor_t;

/* Places CURSOR before the first entry whose key is FROM or sorts after it; if AFTER, before the first whose
 * key sorts after FROM. */
void omap_seek(const omap_t *map, bytes_t from, bool after, omap_cursor_t *cursor);
/* Gives the entry after the cursor and moves past it, or returns false at the end. */
KV_MUST_USE bool omap_next(omap_cursor_t *cursor, omap_entry_t *entry);

#endif
