/* SPDX-License-Identifier: MPL-2.0 */
/* Memory of answers that were sent, kept for the next answers. The transport's threads free large answers,
 * and malloc is slow if one thread allocates what another one frees: a large answer would cost it some 1,400
 * instructions. */
#ifndef KV_BROKER_CORE_SPARES_H
#define KV_BROKER_CORE_SPARES_H

#include "common/buffer.h"

typedef struct spares spares_t;

/* NULL if memory is refused. */
KV_MUST_USE spares_t *spares_new(void);
/* Nobody may use them any more. */
void spares_destroy(spares_t **spares);

/* Gives BUFFER, which has no memory, memory that is kept, if there is some: for SIZE bytes if possible, else
 * less. It has less than four times SIZE bytes, or less than 512. Only for the thread that owns them, like
 * spares_keep. */
void spares_take(spares_t *spares, size_t size, buffer_t *buffer);
/* Keeps or frees the memory of BUFFER, which has none afterwards. */
void spares_keep(spares_t *spares, buffer_t *buffer);

/* Keeps or frees the CAPACITY bytes of DATA, from malloc. For any thread. */
void spares_give(spares_t *spares, void *data, size_t capacity);

#endif
