/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the time of the broker's last answer. Makes no requests and reports nothing. */
#include "client/watch/watcher_state.h"

#include <poll.h>

#include "client/keep.h"
#include "client/lib/system.h"
#include "common/clock.h"

enum { KEEP_MS = 1000 }; /* longest interval between pings, which also show whether the broker answers */

bool watcher_stopping(watcher_t *watcher)
{
    return atomic_load(&watcher->stop);
}

void watcher_pause(const watcher_t *watcher, int64_t timeout_ms)
{
    struct pollfd wake = {.fd = watcher->wake, .events = POLLIN};
    if (timeout_ms > 0)
        (void)poll(&wake, 1, system_poll_ms(timeout_ms));
}

int watcher_keep_ms(const watcher_t *watcher)
{
    const kvzmq_session_t *session = kvzmq_session(watcher->conn);
    int64_t part_ms = session == NULL ? KEEP_MS : keep_part_ms(session);
    return part_ms < KEEP_MS ? (int)part_ms : KEEP_MS;
}

bool watcher_answered(watcher_t *watcher)
{
    watcher->kept_ms = clock_monotonic_ms();
    return follow_session(watcher->follow, kvzmq_reconnects(watcher->conn),
                          kvzmq_session(watcher->conn)->epoch);
}
