/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the notes of a store that is verified, and requests what they are compared with. */
#include "client/watch/mirror_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NOTES_FIRST = 16, /* initial capacity */
    NOTES_MAX = 65536 /* most changes of a store that are recorded while it is verified */
};

static void note(probe_t *probe, const mirror_store_t *store, uint64_t seq)
{
    if (probe->count == probe->capacity) {
        size_t capacity = probe->capacity == 0 ? NOTES_FIRST : probe->capacity * 2;
        probe_note_t *notes = capacity > NOTES_MAX ? NULL : realloc(probe->notes, capacity * sizeof *notes);
        if (notes == NULL) {
            probe->broken = true;
            return;
        }
        probe->notes = notes;
        probe->capacity = capacity;
    }
    probe_note_t *made = &probe->notes[probe->count++];
    made->seq = seq;
    mirror_store_summary(store, probe->client, &made->summary);
}

void probe_begin(probe_t *probe, const mirror_store_t *store, bytes_t client, uint64_t seq)
{
    probe->active = true;
    probe->broken = false;
    probe->client = client;
    probe->count = 0;
    note(probe, store, seq);
}

void probe_change(probe_t *probe, const mirror_store_t *store, bytes_t client, uint64_t seq)
{
    if (probe->active && bytes_equal(probe->client, client))
        note(probe, store, seq);
}

void probe_break(probe_t *probe)
{
    probe->broken = true;
}

void probe_end(probe_t *probe)
{
    probe->active = false;
}

void probe_release(probe_t *probe)
{
    free(probe->notes);
    *probe = (probe_t){0};
}

kvzmq_status_t probe_ask(kvzmq_t *conn, const char *client, probe_answer_t *answer)
{
    *answer = (probe_answer_t){0};
    kvzmq_status_t status = kvzmq_digest(conn, client, &answer->digest);
    const kvzmq_session_t *session = kvzmq_session(conn);
    answer->absent = status == KVZMQ_NOT_FOUND;
    if (status != KVZMQ_OK && !answer->absent)
        return status;
    (void)snprintf(answer->epoch, sizeof answer->epoch, "%s", session->epoch);
    if (answer->absent)
        status = kvzmq_digest(conn, NULL, &answer->digest); /* only for its seq */
    if (status == KVZMQ_OK && strcmp(answer->epoch, session->epoch) != 0)
        return KVZMQ_UNAVAILABLE; /* the broker was restarted and may have the store now */
    return status;
}

kvzmq_status_t probe_compare(const probe_t *probe, const probe_answer_t *answer, bool *equal)
{
    const mirror_summary_t *as_of = NULL;
    *equal = false;
    if (probe->broken)
        return KVZMQ_UNAVAILABLE;
    for (size_t i = 0; i < probe->count && probe->notes[i].seq <= answer->digest.seq; i++) {
        as_of = &probe->notes[i].summary;
        *equal = *equal || (answer->absent && as_of->keys == 0);
    }
    if (answer->absent)
        return KVZMQ_OK;
    if (as_of == NULL || as_of->hollow > 0)
        return KVZMQ_UNAVAILABLE;
    *equal = as_of->keys == answer->digest.keys && as_of->digest == answer->digest.digest;
    return KVZMQ_OK;
}
