/* SPDX-License-Identifier: MPL-2.0 */
/* Linked with -Wl,--wrap=hub_new,--wrap=hub_destroy. It makes every hub of the program apply its commands
 * later, in an order that follows from KV_SEED. */
#include "tests/support/chance.h"
#include "tests/support/later_log.h"

hub_t *__real_hub_new(const settings_t *settings, const outlets_t *outlets, int64_t now_ms, int64_t unix_ms);
void __real_hub_destroy(hub_t **hub);
hub_t *__wrap_hub_new(const settings_t *settings, const outlets_t *outlets, int64_t now_ms, int64_t unix_ms);
void __wrap_hub_destroy(hub_t **hub);

hub_t *__wrap_hub_new(const settings_t *settings, const outlets_t *outlets, int64_t now_ms, int64_t unix_ms)
{
    hub_t *hub = __real_hub_new(settings, outlets, now_ms, unix_ms);
    if (hub && !later_log_new(hub, chance_seed_or(1)))
        __real_hub_destroy(&hub);
    return hub;
}

void __wrap_hub_destroy(hub_t **hub)
{
    later_log_t *log = *hub ? later_log_of(*hub) : NULL;
    __real_hub_destroy(hub);
    later_log_destroy(&log);
}
