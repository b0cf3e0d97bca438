/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the table of versions. */
#include "client/cli/bench/model.h"

#include <stdlib.h>
#include <string.h>

enum { COUNT_FIRST = 1024 };

bool model_reserve(model_t *model, uint64_t number)
{
    if (number < model->count)
        return true;
    size_t count = model->count * 2 > number ? model->count * 2 : (size_t)number + 1;
    if (count < COUNT_FIRST)
        count = COUNT_FIRST;
    uint32_t *versions = realloc(model->versions, count * sizeof *versions);
    if (versions == NULL)
        return false;
    memset(versions + model->count, 0, (count - model->count) * sizeof *versions);
    model->versions = versions;
    model->count = count;
    return true;
}

void model_release(model_t *model)
{
    free(model->versions);
    *model = (model_t){.versions = NULL};
}

uint64_t model_next(const model_t *model, uint64_t number)
{
    while (number < model->count && model->versions[number] == MODEL_ABSENT)
        number++;
    return number;
}
