/* SPDX-License-Identifier: MPL-2.0 */
/* Fetches what several lookups will need into the caches, all side by side. One lookup in a large map waits
 * for memory four to six times in a row; sixteen wait hardly longer together. */
#include "broker/engine/omap_warm.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "broker/engine/omap_inner.h"
#include "broker/engine/omap_leaf.h"

enum {
    SIDE_BY_SIDE = 16, /* about what a core can have under way */
    CACHE_LINE = 64,
    INNER_LINES = 9, /* up to the heads' end */
    LEAF_LINES = 4,  /* up to the directory's end */
    RECORD_LINES = 2
};

static void fetch(const void *address, unsigned lines)
{
    for (unsigned i = 0; i < lines; i++)
        __builtin_prefetch((const uint8_t *)address + (size_t)i * CACHE_LINE);
}

static void warm_some(const omap_t *map, const bytes_t *keys, unsigned count)
{
    void *nodes[SIDE_BY_SIDE];
    void **children[SIDE_BY_SIDE];
    for (unsigned i = 0; i < count; i++)
        nodes[i] = map->root;
    for (unsigned level = 0; level < map->height; level++) {
        for (unsigned i = 0; i < count; i++) {
            children[i] = &inner_children(nodes[i])[inner_index(nodes[i], keys[i])];
            fetch(children[i], 1);
        }
        for (unsigned i = 0; i < count; i++) {
            nodes[i] = *children[i];
            fetch(nodes[i], level + 1 < map->height ? INNER_LINES : LEAF_LINES);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        const leaf_t *leaf = nodes[i];
        uint8_t tag = (uint8_t)XXH3_64bits_withSeed(keys[i].data, keys[i].size, map->seed);
        unsigned slot = leaf_find_tag(leaf, tag);
        if (slot != LEAF_NO_SLOT)
            fetch(leaf_record(leaf, slot), RECORD_LINES);
    }
}

void omap_warm(const omap_t *map, const bytes_t *keys, unsigned count)
{
    if (map->root == NULL || map->count < OMAP_WARM_FROM)
        return;
    for (unsigned first = 0; first < count; first += SIDE_BY_SIDE)
        warm_some(map, keys + first, count - first < SIDE_BY_SIDE ? count - first : SIDE_BY_SIDE);
}
