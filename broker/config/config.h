/* SPDX-License-Identifier: MPL-2.0 */
/* The configuration: one table of keys (config_table.c) from which files, --set and the help are read. Makes
 * settings; other modules apply them.
 *
 * Every problem is one line: where (FILE:LINE, or --set KEY), what is wrong, and what to do about it. A
 * problem never quotes a hash. PROBLEM_SIZE is 8 at least. */
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

/* Sets every default. False if memory is refused. Release with settings_release. */
KV_MUST_USE bool settings_init(settings_t *settings);
/* Frees what the settings own; they are not usable until the next settings_init. */
void settings_release(settings_t *settings);

/* Reads the file at PATH into SETTINGS. False, with one line in PROBLEM, if it cannot be read or has a
 * fault; the settings are then to be released. */
KV_MUST_USE bool config_load(settings_t *settings, const char *path, char *problem, size_t problem_size);
/* The same for TEXT; NAME stands for the file in problems. */
KV_MUST_USE bool config_read(settings_t *settings, const char *name, bytes_t text, char *problem,
                             size_t problem_size);
/* Applies one `section/key=value`, as --set has it. What it sets takes the place of what was there. */
KV_MUST_USE bool config_set(settings_t *settings, const char *assignment, char *problem, size_t problem_size);
/* Checks what keys must be to each other; to be called when all are read. */
KV_MUST_USE bool config_check(const settings_t *settings, char *problem, size_t problem_size);

/* Exchanges, between two settings, every key that cannot change while a broker runs. After that, the new
 * settings are ones that the broker can switch to. A second call undoes the first.
 */
void config_exchange_fixed(settings_t *a, settings_t *b);

/* Called for a key (`section/key`, quoted for people) in which two settings differ; FIXED: it cannot change
 * while a broker runs. */
typedef void config_difference_fn(void *context, const char *key, bool fixed);
/* Calls FN for each key that differs, in the order of the table. */
void config_compare(const settings_t *before, const settings_t *after, config_difference_fn *fn,
                    void *context);

/* Writes the table as a configuration file in which every key stands commented out, with what it is for. */
void config_help(FILE *out);

#endif
