/* SPDX-License-Identifier: MPL-2.0 */
/* The list of formats. */
#include "client/cli/output_formats.h"

#include "client/cli/output_json.h"
#include "client/cli/output_raw.h"
#include "client/cli/output_text.h"

static const output_ops_t *const formats[] = {&output_text, &output_json, &output_raw, NULL};

const output_ops_t *const *output_formats(void)
{
    return formats;
}

const output_ops_t *output_find(const char *name)
{
    for (size_t i = 0; formats[i] != NULL; i++) {
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    }
    return NULL;
}
