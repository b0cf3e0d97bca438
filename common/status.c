/* SPDX-License-Identifier: MPL-2.0 */
/* The texts of status codes. */
#include "common/status.h"

#include <assert.h>

static const char *const TEXTS[STATUS_COUNT] = {
#define STATUS(name, text) [STATUS_##name] = text,
#include "common/status.def"
#undef STATUS
};

const char *status_text(status_t status)
{
    assert((unsigned)status < STATUS_COUNT);
    return TEXTS[status];
}

bool status_from_text(bytes_t text, status_t *status)
{
    for (unsigned i = 0; i < STATUS_COUNT; i++) {
        if (bytes_equal(text, bytes_from_text(TEXTS[i]))) {
            *status = (status_t)i;
            return true;
        }
    }
    return false;
}
