/* SPDX-License-Identifier: MPL-2.0 */
/* Owns which numbers are free: a ring with room for the whole range, in ascending order at first. Numbers are
 * taken at its head and come back at its tail. */
#include "broker/core/port_ids.h"

#include <assert.h>
#include <stdlib.h>

enum { PORT_HIGHEST = 65535 };

struct port_ids {
    uint64_t first;
    uint64_t last;
    uint64_t above;  /* the next number above 65535 */
    uint32_t size;   /* numbers in the range */
    uint32_t head;   /* index of the number that was freed longest ago */
    uint32_t free;   /* free numbers */
    uint16_t ring[]; /* the free numbers, from head on */
};

port_ids_t *port_ids_new(uint64_t first, uint64_t last)
{
    assert(first >= 1 && first <= last && last <= PORT_HIGHEST);
    uint32_t size = (uint32_t)(last - first + 1);
    port_ids_t *ids = malloc(sizeof *ids + size * sizeof ids->ring[0]);
    if (ids == NULL)
        return NULL;
    *ids = (port_ids_t){.first = first, .last = last, .above = PORT_HIGHEST + 1, .size = size, .free = size};
    for (uint32_t i = 0; i < size; i++)
        ids->ring[i] = (uint16_t)(first + i);
    return ids;
}

void port_ids_destroy(port_ids_t **ids)
{
    free(*ids);
    *ids = NULL;
}

uint64_t port_ids_take(port_ids_t *ids)
{
    if (ids->free == 0)
        return ids->above++;
    uint64_t number = ids->ring[ids->head];
    ids->head = (ids->head + 1) % ids->size;
    ids->free--;
    return number;
}

void port_ids_free(port_ids_t *ids, uint64_t number)
{
    if (number > ids->last)
        return;
    assert(number >= ids->first && ids->free < ids->size);
    ids->ring[(ids->head + ids->free) % ids->size] = (uint16_t)number;
    ids->free++;
}
