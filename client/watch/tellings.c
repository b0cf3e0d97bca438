/* SPDX-License-Identifier: MPL-2.0 */
/* Owns their order, and copies of their epochs: a call may change the epoch and tell of both. */
#include "client/watch/tellings.h"

#include <assert.h>
#include <string.h>

void epoch_copy(epoch_t out, const char *text)
{
    size_t size = strnlen(text, sizeof(epoch_t) - 1);
    memcpy(out, text, size);
    out[size] = '\0';
}

void tellings_add(tellings_t *tellings, const kvzmq_event_t *event, const char *epoch)
{
    assert(tellings->count < TELLINGS_MAX);
    telling_t *telling = &tellings->items[tellings->count++];
    telling->event = *event;
    epoch_copy(telling->epoch, epoch);
}

bool tellings_next(const tellings_t *tellings, kvzmq_event_t *event)
{
    if (tellings->count == 0)
        return false;
    const telling_t *telling = &tellings->items[tellings->first];
    *event = telling->event;
    event->epoch = kvzmq_text(telling->epoch);
    return true;
}

bool tellings_take(tellings_t *tellings, kvzmq_event_t *event)
{
    if (!tellings_next(tellings, event))
        return false;
    tellings->first++;
    if (tellings->first == tellings->count)
        tellings->first = tellings->count = 0;
    return true;
}
