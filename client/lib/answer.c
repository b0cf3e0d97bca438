/* SPDX-License-Identifier: MPL-2.0 */
/* Reads answers. Owns nothing. */
#include "client/lib/answer.h"

#include "client/lib/result.h"

static bool read_entry(bytes_t body, kvzmq_answer_t *answer)
{
    kvzmq_row_t row;
    if (!result_entry(body, &row))
        return false;
    answer->value = row.value;
    answer->revision = row.revision;
    answer->ttl_ms = row.ttl_ms;
    return true;
}

static bool read_result(method_t method, bytes_t body, kvzmq_answer_t *answer)
{
    switch (method) {
    case METHOD_GET:
        return result_value(body, &answer->value);
    case METHOD_ENTRY:
        return read_entry(body, answer);
    case METHOD_PUT:
    case METHOD_DEL:
        return result_number(body, &answer->revision);
    default:
        return true; /* the caller reads `result` */
    }
}

kvzmq_status_t answer_read(method_t method, bytes_t body, kvzmq_answer_t *answer)
{
    bool may_be_absent = method == METHOD_GET || method == METHOD_ENTRY || method == METHOD_DEL;
    *answer = (kvzmq_answer_t){.ttl_ms = -1, .result = kvzmq_binary(body.data, body.size)};
    if (may_be_absent && result_is_nil(body))
        answer->status = KVZMQ_ABSENT;
    else if (!read_result(method, body, answer))
        answer->status = KVZMQ_PROTOCOL;
    return answer->status;
}
