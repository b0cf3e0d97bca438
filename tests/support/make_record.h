/* SPDX-License-Identifier: MPL-2.0 */
/* Makes records with a key and a hash but no value, for tests of the index and the tree. */
#ifndef KV_TESTS_SUPPORT_MAKE_RECORD_H
#define KV_TESTS_SUPPORT_MAKE_RECORD_H

#include <stdlib.h>

#include "broker/engine/record.h"

/* Returns a record of KEY. Free it with slab_give. */
static inline uint32_t make_record(slab_t *slab, bytes_t key, uint32_t hash)
{
    uint32_t handle = slab_take(slab, sizeof(record_t) + key.size);
    if (handle == 0)
        abort();
    record_t *record = record_at(slab, handle);
    *record = (record_t){.hash = hash, .key_size = (uint16_t)key.size};
    if (key.size != 0)
        memcpy(record->data, key.data, key.size);
    return handle;
}

#endif
