/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/core/request.h"

#include <stdarg.h>

#include "common/log.h"
#include "common/utf8.h"

handling_t request_fail(request_t *request, status_t status, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    utf8_vformat(request->problem, sizeof request->problem, format, list);
    va_end(list);
    request->status = status;
    return FAILED;
}

handling_t request_fail_memory(request_t *request)
{
    log_memory("a request is refused");
    return request_fail(request, STATUS_UNAVAILABLE, "the broker is out of memory: try again later");
}

handling_t request_fail_absent(request_t *request, bytes_t id)
{
    char quoted[UTF8_QUOTE_SIZE];
    return request_fail(request, STATUS_NOT_FOUND, "no client \"%s\": `clients` lists them",
                        utf8_quote(id, quoted, sizeof quoted));
}

handling_t request_fail_unproven(request_t *request)
{
    return request_fail(request, STATUS_UNAUTHENTICATED,
                        "this name is claimed: give its secret in `hello` first");
}

handling_t request_wait(request_t *request, wait_t wait, int64_t until_ms)
{
    request->wait = wait;
    request->until_ms = until_ms;
    return WAITS;
}
