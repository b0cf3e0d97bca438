/* SPDX-License-Identifier: MPL-2.0 */
/* Shows events: a line for people, cells for programs. Shows the old value if it is known. */
#ifndef KV_CLIENT_CLI_EVENT_PRINTER_H
#define KV_CLIENT_CLI_EVENT_PRINTER_H

#include <kvzmq.h>

#include "client/cli/known.h"
#include "client/cli/output.h"

enum {
    EVENT_KNOWN_MAX = 64 * 1024 * 1024 /* bytes of memory for values, to show them as old values later */
};

typedef struct event_printer {
    known_t *known; /* owned */
    bool whole;     /* at READY all entries were shown */
} event_printer_t;

/* WHOLE: the stream begins with the state. False if memory is refused; call event_printer_release even then.
 */
KV_MUST_USE bool event_printer_init(event_printer_t *printer, bool whole);
void event_printer_release(event_printer_t *printer);

/* Shows EVENT, the next of its stream, on OUTPUT. If it has no time, shows NOW_MS (since 1970). */
void event_printer_print(event_printer_t *printer, output_t *output, const kvzmq_event_t *event,
                         uint64_t now_ms);

#endif
