/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the settings in force, and the change from old to new ones. Does not know where settings come from. */
#include "broker/net/reload.h"

#include <stdio.h>

#include "broker/config/config.h"
#include "broker/core/reconfigure.h"
#include "broker/net/request_socket.h"
#include "common/clock.h"
#include "common/log.h"

enum { DIFFERENCES_LOGGED = 50 }; /* most lines about keys for one SIGHUP */

typedef struct differences {
    unsigned taken; /* keys whose new value applies from now on */
    unsigned fixed; /* keys that differ and cannot change */
} differences_t;

void reload_init(reload_t *reload, settings_t *settings, const settings_source_t *source)
{
    reload->settings[0] = *settings;
    *settings = (settings_t){0};
    reload->live = &reload->settings[0];
    reload->source = *source;
}

void reload_release(reload_t *reload)
{
    settings_release(reload->live);
}

static void difference_log(void *context, const char *key, bool fixed)
{
    differences_t *differences = context;
    unsigned *count = fixed ? &differences->fixed : &differences->taken;
    if (++*count > DIFFERENCES_LOGGED)
        return;
    if (fixed)
        log_warning("SIGHUP: %s differs, but a change needs a restart: the old value stays", key);
    else
        log_info("SIGHUP: %s has changed", key);
}

/* Reads new settings into NEXT and switches the hub to them. If something is wrong, returns false with one
 * line in PROBLEM: then nothing has changed, and NEXT is empty. */
static bool settings_read(const reload_t *reload, hub_t *hub, settings_t *next, char *problem,
                          size_t problem_size)
{
    snprintf(problem, problem_size, "out of memory; free some and try again");
    if (!settings_init(next))
        return false;
    bool done = reload->source.read(reload->source.context, next, problem, problem_size);
    if (done) {
        config_exchange_fixed(next, reload->live);
        char text[CONFIG_PROBLEM_SIZE - 64]; /* leaves room for the prefix below */
        done = config_check(next, text, sizeof text);
        if (!done) /* the file was valid by itself */
            snprintf(problem, problem_size, "with the old values of the keys that need a restart: %s", text);
        int64_t now_ms = clock_monotonic_ms();
        if (done && !hub_configure(hub, next, now_ms)) {
            snprintf(problem, problem_size, "out of memory; free some and try again");
            done = false;
        }
        if (!done)
            config_exchange_fixed(next, reload->live);
    }
    if (!done)
        settings_release(next);
    return done;
}

void reload_run(reload_t *reload, hub_t *hub, request_socket_t *requests)
{
    char problem[CONFIG_PROBLEM_SIZE];
    settings_t *before = reload->live;
    settings_t *next = &reload->settings[before == &reload->settings[0]];
    differences_t differences = {0};
    if (reload->source.read == NULL) {
        log_info("SIGHUP: the broker was started without --config: there is nothing to read again");
        return;
    }
    if (!settings_read(reload, hub, next, problem, sizeof problem)) {
        log_error("SIGHUP: nothing changes: %s", problem);
        return;
    }
    request_socket_configure(requests, next);
    reload->live = next;
    config_compare(before, next, difference_log, &differences);
    settings_release(before);
    log_info("SIGHUP: the configuration was read again; keys that changed: %u, that need a restart: %u",
             differences.taken, differences.fixed);
}
