/* SPDX-License-Identifier: MPL-2.0 */
/* The configuration. One table of keys (config_table.c) defines what files and --set can contain, and what
 * the help says. This module makes settings; other modules apply them.
 *
 * Every problem is one line: where it is (FILE:LINE, or --set KEY), what is wrong, and what to do about it. A
 * problem never quotes a hash. PROBLEM_SIZE is at least 8. */
#ifndef KV_BROKER_CONFIG_CONFIG_H
#define KV_BROKER_CONFIG_CONFIG_H

#include <stdio.h>

#include "broker/config/config_place.h"
#include "broker/core/settings.h"
#include "common/bytes.h"
#include "common/status.h"

enum {
    CONFIG_FILE_MAX = 4 << 20, /* bytes of a configuration file */
    CONFIG_LINE_MAX = 1024     /* bytes of a line: zconfig's own bound */
};

/* Sets every key to its default. Returns false if memory is refused. Release with settings_release. */
KV_MUST_USE bool settings_init(settings_t *settings);
/* Frees what the settings own. They are not usable until the next settings_init. */
void settings_release(settings_t *settings);

/* Reads the file at PATH into SETTINGS. Returns false with one line in PROBLEM if it cannot be read or has a
 * fault. Some keys may be set then; the caller still has to release the settings. */
KV_MUST_USE bool config_load(settings_t *settings, const char *path, char *problem, size_t problem_size);
/* The same for TEXT. Problems give NAME in place of the file. */
KV_MUST_USE bool config_read(settings_t *settings, const char *name, bytes_t text, char *problem,
                             size_t problem_size);
/* Applies one `section/key=value` of --set. It replaces an earlier value. */
KV_MUST_USE bool config_set(settings_t *settings, const char *assignment, char *problem, size_t problem_size);
/* Checks conditions between keys. Call it when all keys are set. */
KV_MUST_USE bool config_check(const settings_t *settings, char *problem, size_t problem_size);

/* Exchanges the values of all keys that cannot change while a broker runs. If A is new and B is live, the
 * broker can switch to A afterwards. A second call undoes the first. */
void config_exchange_fixed(settings_t *a, settings_t *b);

/* Called for a KEY (`section/key`, quoted for people) in which two settings differ. FIXED means that it
 * cannot change while a broker runs. */
typedef void config_difference_fn(void *context, const char *key, bool fixed);
/* Calls FN for each key that differs, in the order of the table. */
void config_compare(const settings_t *before, const settings_t *after, config_difference_fn *fn,
                    void *context);

/* Writes the table as a configuration file: every key commented out, with its help and its default. */
void config_help(FILE *out);

#endif
