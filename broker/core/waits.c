/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the lists of sessions that wait. */
#include "broker/core/waits.h"

#include <assert.h>
#include <stdlib.h>

typedef struct wait_list {
    session_t *first;
    session_t **tail; /* where the next one is linked */
} wait_list_t;

struct waits {
    wait_list_t lists[WAIT_COUNT];
};

/* Sessions that yield are among those that wait for their turn. */
static wait_t list_of(wait_t wait)
{
    return wait == WAIT_YIELD ? WAIT_TURN : wait;
}

waits_t *waits_new(void)
{
    waits_t *waits = calloc(1, sizeof *waits);
    if (waits == NULL)
        return NULL;
    for (int i = 0; i < WAIT_COUNT; i++)
        waits->lists[i].tail = &waits->lists[i].first;
    return waits;
}

void waits_destroy(waits_t **waits)
{
    free(*waits);
    *waits = NULL;
}

void waits_add(waits_t *waits, session_t *session, wait_t wait, int64_t until_ms)
{
    assert(session->wait.what == WAIT_NONE && wait != WAIT_NONE);
    wait_list_t *list = &waits->lists[list_of(wait)];
    session->wait = (session_wait_t){.what = wait, .until_ms = until_ms, .link = list->tail};
    *list->tail = session;
    list->tail = &session->wait.next;
}

void waits_remove(waits_t *waits, session_t *session)
{
    if (session->wait.what == WAIT_NONE)
        return;
    session_t *next = session->wait.next;
    *session->wait.link = next;
    if (next != NULL)
        next->wait.link = session->wait.link;
    else
        waits->lists[list_of(session->wait.what)].tail = session->wait.link;
    session->wait = (session_wait_t){.what = WAIT_NONE};
}

session_t *waits_first(const waits_t *waits, wait_t wait)
{
    return waits->lists[list_of(wait)].first;
}

bool waits_any(const waits_t *waits)
{
    for (int i = 0; i < WAIT_COUNT; i++) {
        if (waits->lists[i].first != NULL)
            return true;
    }
    return false;
}

int64_t waits_next_due(const waits_t *waits)
{
    if (waits->lists[WAIT_TURN].first != NULL)
        return 0;
    const session_t *delayed = waits->lists[WAIT_DELAY].first;
    return delayed != NULL ? delayed->wait.until_ms : INT64_MAX;
}

bool waits_sound(const waits_t *waits, uint64_t *count)
{
    *count = 0;
    for (int i = 0; i < WAIT_COUNT; i++) {
        session_t *const *link = &waits->lists[i].first;
        for (; *link != NULL; link = &(*link)->wait.next, ++*count) {
            if ((int)list_of((*link)->wait.what) != i || (*link)->wait.link != link)
                return false;
        }
        if (waits->lists[i].tail != link)
            return false;
    }
    return waits->lists[WAIT_NONE].first == NULL && waits->lists[WAIT_YIELD].first == NULL;
}
