/* SPDX-License-Identifier: MPL-2.0 */
/* Defaults of the settings, --set, and --help-config, which is made from the table of keys. */
#include "broker/config/config.h"

#include <stdlib.h>

#include "broker/config/config_table.h"
#include "common/utf8.h"

enum { IPC_MODE_DEFAULT = 0600 /* only the broker's own user may connect */ };

bool config_set(settings_t *settings, const char *assignment, char *problem, size_t problem_size)
{
    const char *equals = strchr(assignment, '=');
    config_place_t place = {.name = "--set", .problem = problem, .size = problem_size};
    if (equals == NULL || equals == assignment) {
        char quoted[CONFIG_QUOTE_SIZE];
        return config_fault(&place, "\"%s\" has no key and value; write --set SECTION/KEY=VALUE",
                            utf8_quote(bytes_from_text(assignment), quoted, sizeof quoted));
    }
    char *path = strndup(assignment, (size_t)(equals - assignment));
    if (path == NULL)
        return config_fault_memory(&place);
    bool done = config_assign(settings, &place, path, equals + 1);
    free(path);
    return done;
}

/* Appended to the help of keys that SIGHUP does not change. */
#define FIXED_NOTE "; a change needs a restart"

void config_help(FILE *out)
{
    settings_t settings;
    if (!settings_init(&settings))
        return;
    fputs("# Configuration of kvbroker: every key with its default. The form is ZPL (ZeroMQ RFC 4): a "
          "section on a\n"
          "# line of its own, its keys under it, each indented by exactly 4 spaces. To set a key, remove "
          "the #\n"
          "# before it and before its section. On the command line: kvbroker --set SECTION/KEY=VALUE\n",
          out);
    const char *section = "";
    const key_row_t *row;
    for (unsigned i = 0; (row = config_row(i)) != NULL; i++) {
        if (strcmp(row->section, section) != 0)
            fprintf(out, "\n#%s\n", row->section);
        section = row->section;
        fprintf(out, "# %s%s\n#    %s = \"", row->help, row->fixed ? FIXED_NOTE : "", row->key);
        row->kind->show(&settings, row, out);
        fputs("\"\n", out);
    }
    settings_release(&settings);
}

/* ---- Settings --------------------------------------------------------------------------------- */

bool settings_init(settings_t *settings)
{
    char problem[CONFIG_PROBLEM_SIZE];
    *settings = (settings_t){.ipc = {.mode = IPC_MODE_DEFAULT, .group = IPC_GROUP_OWN},
                             .timeout_ms = 60000,
                             .first_id = 32768,
                             .last_id = 60999,
                             .events_keep = 65536,
                             .events_keep_bytes = 64 << 20,
                             .events_inline = 65536,
                             .limits = LIMITS_DEFAULT};
    if (config_set(settings, "listen/requests=tcp://127.0.0.1:5000", problem, sizeof problem) &&
        config_set(settings, "listen/events=tcp://127.0.0.1:5001", problem, sizeof problem))
        return true;
    settings_release(settings);
    return false;
}

void settings_release(settings_t *settings)
{
    const key_row_t *row;
    for (unsigned i = 0; (row = config_row(i)) != NULL; i++)
        if (row->kind->release != NULL)
            row->kind->release(settings, row);
    *settings = (settings_t){0};
}
