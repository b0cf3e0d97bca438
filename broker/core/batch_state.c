/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/core/batch_state.h"

#include <stdlib.h>

void batch_release(batch_t *batch)
{
    free(batch->rest);
    pending_release(&batch->pending);
    buffer_release(&batch->answer);
    buffer_release(&batch->envelope);
    *batch = (batch_t){0};
}
