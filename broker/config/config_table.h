/* SPDX-License-Identifier: MPL-2.0 */
/* The table of keys, and how the readers of a configuration (config_file.c, --set) set one. */
#ifndef KV_BROKER_CONFIG_CONFIG_TABLE_H
#define KV_BROKER_CONFIG_CONFIG_TABLE_H

#include "broker/config/config_kind.h"
#include "broker/config/config_place.h"
#include "broker/core/settings.h"
#include "common/status.h"

/* The Ith row of the table; NULL after the last. */
const key_row_t *config_row(unsigned i);
/* Whether it stands for any name: a list of credentials, sorted by name. */
bool config_row_named(const key_row_t *row);

/* Whether PATH is a section (`listen`), under which keys stand. */
bool config_section_known(const char *path);

/* Sets the key PATH (`section/key`) to VALUE; NULL = it has none, which is a problem. Checks all that one key
 * can be checked for. */
KV_MUST_USE bool config_assign(settings_t *settings, const config_place_t *place, const char *path,
                               const char *value);

#endif
