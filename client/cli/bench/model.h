/* SPDX-License-Identifier: MPL-2.0 */
/* The expected content of a store with one writer: for each key the version of its value. Answers come in the
 * order in which the broker executed the requests. So each answer updates the model, and the next answer must
 * agree with it exactly. */
#ifndef KV_CLIENT_CLI_BENCH_MODEL_H
#define KV_CLIENT_CLI_BENCH_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

#define MODEL_ABSENT  UINT32_C(0)
#define MODEL_UNKNOWN UINT32_MAX /* a write of the key got no answer */

typedef struct model {
    uint32_t *versions; /* owned; the index is the number of the key */
    size_t count;       /* size of `versions`; keys from this number on are absent */
} model_t;

/* Makes room for key NUMBER. False if memory is refused. */
KV_MUST_USE bool model_reserve(model_t *model, uint64_t number);

void model_release(model_t *model);

/* Reduces a version to 32 bits, never MODEL_ABSENT or MODEL_UNKNOWN. */
static inline uint32_t model_version(uint64_t version)
{
    return (uint32_t)(version % (UINT32_MAX - 1)) + 1;
}

static inline uint32_t model_get(const model_t *model, uint64_t number)
{
    return number < model->count ? model->versions[number] : MODEL_ABSENT;
}

/* There must be room (model_reserve). */
static inline void model_set(model_t *model, uint64_t number, uint32_t version)
{
    model->versions[number] = version;
}

/* The first key from NUMBER on that may exist; at least `count` if there is none. */
uint64_t model_next(const model_t *model, uint64_t number);

#endif
