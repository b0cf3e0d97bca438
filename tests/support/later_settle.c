/* SPDX-License-Identifier: MPL-2.0 */
/* Linked in addition to later_hub.c, with --wrap for each of these functions. Commands are applied later, but
 * before a test can see a difference. */
#include "broker/core/reconfigure.h"
#include "broker/core/sessions.h"
#include "tests/support/later_log.h"

session_t *__real_hub_receive(hub_t *hub, session_t *session, const arrival_t *arrival, int64_t now_ms);
void __real_hub_lost(hub_t *hub, session_t *session, int64_t now_ms);
void __real_hub_verified(hub_t *hub, uint64_t job, verdict_t verdict, int64_t now_ms);
bool __real_hub_tick(hub_t *hub, int64_t now_ms);
void __real_hub_stop(hub_t *hub, int64_t now_ms);
bool __real_hub_configure(hub_t *hub, const settings_t *settings, int64_t now_ms);
session_t *__wrap_hub_receive(hub_t *hub, session_t *session, const arrival_t *arrival, int64_t now_ms);
void __wrap_hub_lost(hub_t *hub, session_t *session, int64_t now_ms);
void __wrap_hub_verified(hub_t *hub, uint64_t job, verdict_t verdict, int64_t now_ms);
bool __wrap_hub_tick(hub_t *hub, int64_t now_ms);
void __wrap_hub_stop(hub_t *hub, int64_t now_ms);
bool __wrap_hub_configure(hub_t *hub, const settings_t *settings, int64_t now_ms);

static void settle(hub_t *hub)
{
    later_log_settle(later_log_of(hub));
}

session_t *__wrap_hub_receive(hub_t *hub, session_t *session, const arrival_t *arrival, int64_t now_ms)
{
    const session_t *received = __real_hub_receive(hub, session, arrival, now_ms);
    settle(hub);
    session_t *left = sessions_oldest(hub->sessions); /* RECEIVED may have ended meanwhile: look for it */
    while (left && left != received)
        left = left->newer;
    return left;
}

void __wrap_hub_lost(hub_t *hub, session_t *session, int64_t now_ms)
{
    __real_hub_lost(hub, session, now_ms);
    settle(hub);
}

void __wrap_hub_verified(hub_t *hub, uint64_t job, verdict_t verdict, int64_t now_ms)
{
    __real_hub_verified(hub, job, verdict, now_ms);
    settle(hub);
}

bool __wrap_hub_tick(hub_t *hub, int64_t now_ms)
{
    bool more = __real_hub_tick(hub, now_ms);
    settle(hub);
    return more;
}

void __wrap_hub_stop(hub_t *hub, int64_t now_ms)
{
    __real_hub_stop(hub, now_ms);
    settle(hub);
}

bool __wrap_hub_configure(hub_t *hub, const settings_t *settings, int64_t now_ms)
{
    bool done = __real_hub_configure(hub, settings, now_ms);
    settle(hub);
    return done;
}
