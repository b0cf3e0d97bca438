/* SPDX-License-Identifier: MPL-2.0 */
/* The table of keys. Readers of a configuration (config_file.c, --set) set keys through it. */
#ifndef KV_BROKER_CONFIG_CONFIG_TABLE_H
#define KV_BROKER_CONFIG_CONFIG_TABLE_H

#include "broker/config/config_kind.h"
#include "broker/config/config_place.h"
#include "broker/core/settings.h"
#include "common/status.h"

/* Returns the Ith row of the table; NULL after the last. */
const key_row_t *config_row(unsigned i);
/* Whether the row stands for any name. Its setting is a list of credentials, sorted by name. */
bool config_row_named(const key_row_t *row);

/* Whether PATH is a section of the table (such as `listen`), not a key. */
bool config_section_known(const char *path);

/* Sets the key PATH (`section/key`) to VALUE, and checks VALUE as far as that is possible without the other
 * keys. Returns false with a problem if something is wrong, or if VALUE is NULL (the key has no value). */
KV_MUST_USE bool config_assign(settings_t *settings, const config_place_t *place, const char *path,
                               const char *value);

#endif
