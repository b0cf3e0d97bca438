/* SPDX-License-Identifier: MPL-2.0 */
/* Attempts to log in. The test that includes this has a fixture_t with `now_ms`, and the functions begin and
 * end, for accounts or for the throttle alone. */
#ifndef KV_TESTS_UNIT_LOGIN_ATTEMPTS_H
#define KV_TESTS_UNIT_LOGIN_ATTEMPTS_H

/* Makes one complete attempt. Returns the status that the client gets. */
static status_t attempt(fixture_t *fixture, const char *peer, const char *user, bool success)
{
    uint64_t wait_ms = 0;
    status_t status = begin(fixture, peer, user, &wait_ms);
    return status == STATUS_OK ? end(fixture, peer, user, success) : status;
}

/* Fails COUNT times. Before each attempt, waits as long as the throttle demands. Returns the last wait. */
static uint64_t fail_times(fixture_t *fixture, const char *peer, const char *user, unsigned count)
{
    uint64_t last_ms = 0;
    while (count > 0) {
        uint64_t wait_ms = 0;
        if (begin(fixture, peer, user, &wait_ms) != STATUS_OK) {
            fixture->now_ms += (int64_t)wait_ms;
            last_ms = wait_ms;
            continue;
        }
        assert_int_equal(end(fixture, peer, user, false), STATUS_UNAUTHENTICATED);
        count--;
    }
    return last_ms;
}

#endif
