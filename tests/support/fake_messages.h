/* SPDX-License-Identifier: MPL-2.0 */
/* Messages that a fake broker sends. */
#ifndef KV_TESTS_SUPPORT_FAKE_MESSAGES_H
#define KV_TESTS_SUPPORT_FAKE_MESSAGES_H

#include "common/rpc.h"
#include "tests/support/fake_broker.h"

/* What differs between the events of tests: a put of `k` in the store of `lamp`. */
typedef struct fake_event {
    uint64_t seq; /* also its revision */
    uint64_t prev;
    const char *value; /* NULL = it was left out */
} fake_event_t;

/* Appends the map of EVENT. */
static inline void fake_event_write(buffer_t *out, const fake_event_t *event)
{
    static const struct {
        const char *name;
        const char *text; /* NULL = nil */
    } texts[] = {{"kind", "put"}, {"client", "lamp"}, {"key", "k"}, {"by", NULL}, {"user", NULL}};
    rpc_write_map(out, 12);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        rpc_write_text(out, texts[i].name);
        if (texts[i].text != NULL)
            rpc_write_text(out, texts[i].text);
        else
            rpc_write_nil(out);
    }
    rpc_write_text(out, "seq");
    rpc_write_uint(out, event->seq);
    rpc_write_text(out, "prev");
    rpc_write_uint(out, event->prev);
    rpc_write_text(out, "time_ms");
    rpc_write_uint(out, 1700000000000);
    rpc_write_text(out, "size");
    rpc_write_uint(out, event->value != NULL ? strlen(event->value) : 100000);
    rpc_write_text(out, "ttl_ms");
    rpc_write_nil(out);
    rpc_write_text(out, "revision");
    rpc_write_uint(out, event->seq);
    rpc_write_text(out, "value");
    if (event->value != NULL)
        rpc_write_text(out, event->value);
    else
        rpc_write_nil(out);
}

/* Appends a notification METHOD (`changed`, `event`) about EVENT. */
static inline void fake_notification_write(buffer_t *out, const char *method, const fake_event_t *event)
{
    rpc_write_notification(out, bytes_from_text(method));
    rpc_write_array(out, 1);
    fake_event_write(out, event);
}

/* For FAKE_RAW: appends an error as the answer. */
static inline void fake_error_write(buffer_t *out, status_t status, uint64_t detail)
{
    rpc_write_error(out, FAKE_MSGID_NUMBER, status, "the fake broker refuses", &detail);
}

#endif
