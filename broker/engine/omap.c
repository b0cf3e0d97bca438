/* SPDX-License-Identifier: MPL-2.0 */
/* The ordered map: a record's value is the pointer. */
#include "broker/engine/omap.h"

#include <assert.h>

#include "broker/engine/record.h"

void omap_init(omap_t *map)
{
    slab_init(&map->slab);
    tree_init(&map->tree, &map->slab);
}

static unsigned drop(void *context, uint32_t record)
{
    omap_t *map = context;
    slab_give(&map->slab, record);
    return 0;
}

void omap_release(omap_t *map)
{
    for (bool empty = false; !empty;) {
        unsigned all = UINT32_MAX;
        empty = tree_drain(&map->tree, &all, drop, map);
    }
    slab_release(&map->slab);
}

/* Where RECORD keeps its pointer, not aligned. */
static uint8_t *pointer_of(record_t *record)
{
    return record->data + record->key_size;
}

static void *pointer_read(record_t *record)
{
    void *pointer;
    memcpy(&pointer, pointer_of(record), sizeof pointer);
    return pointer;
}

void *omap_find(const omap_t *map, bytes_t key)
{
    uint32_t record = tree_find(&map->tree, key);
    return record != 0 ? pointer_read(record_at(&map->slab, record)) : NULL;
}

bool omap_put(omap_t *map, bytes_t key, void *pointer)
{
    assert(pointer != NULL && key.size <= RECORD_KEY_MAX);
    uint32_t handle = tree_find(&map->tree, key);
    bool added = handle == 0;
    if (added)
        handle = slab_take(&map->slab, sizeof(record_t) + key.size + sizeof pointer);
    if (handle == 0)
        return false;
    record_t *record = record_at(&map->slab, handle);
    if (added) {
        *record = (record_t){.key_size = (uint16_t)key.size};
        record_copy(record->data, key);
        if (!tree_insert(&map->tree, handle)) {
            slab_give(&map->slab, handle);
            return false;
        }
    }
    memcpy(pointer_of(record), &pointer, sizeof pointer);
    return true;
}

bool omap_remove(omap_t *map, bytes_t key)
{
    unsigned little = 1;
    uint32_t record = tree_find(&map->tree, key);
    if (record == 0)
        return false;
    tree_remove(&map->tree, record);
    slab_give(&map->slab, record);
    (void)slab_trim(&map->slab, &little);
    return true;
}

/* ---- In order --------------------------------------------------------------------------------- */

void omap_seek(const omap_t *map, bytes_t from, bool after, omap_cursor_t *cursor)
{
    cursor->map = map;
    tree_seek(&map->tree, from, after, &cursor->place);
}

bool omap_next(omap_cursor_t *cursor, omap_entry_t *entry)
{
    uint32_t handle = tree_next(&cursor->place);
    if (handle == 0)
        return false;
    record_t *record = record_at(&cursor->map->slab, handle);
    entry->key = record_key(record);
    entry->pointer = pointer_read(record);
    return true;
}
