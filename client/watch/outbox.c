/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the order of the events and copies of their epochs: one call may change the epoch and report events of
 * both. */
#include "client/watch/outbox.h"

#include <assert.h>
#include <string.h>

void epoch_copy(epoch_t out, const char *text)
{
    size_t size = strnlen(text, sizeof(epoch_t) - 1);
    memcpy(out, text, size);
    out[size] = '\0';
}

void outbox_add(outbox_t *outbox, const kvzmq_event_t *event, const char *epoch)
{
    assert(outbox->count < OUTBOX_MAX);
    outbox_item_t *item = &outbox->items[outbox->count++];
    item->event = *event;
    epoch_copy(item->epoch, epoch);
}

bool outbox_next(const outbox_t *outbox, kvzmq_event_t *event)
{
    if (outbox->count == 0)
        return false;
    const outbox_item_t *item = &outbox->items[outbox->first];
    *event = item->event;
    event->epoch = kvzmq_text(item->epoch);
    return true;
}

bool outbox_take(outbox_t *outbox, kvzmq_event_t *event)
{
    if (!outbox_next(outbox, event))
        return false;
    outbox->first++;
    if (outbox->first == outbox->count)
        outbox->first = outbox->count = 0;
    return true;
}
