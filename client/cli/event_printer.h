/* SPDX-License-Identifier: MPL-2.0 */
/* How an event is shown: a line for people, cells for programs, with the old value where it is known. Knows
 * nothing of where events come from. */
#ifndef KV_CLIENT_CLI_EVENT_PRINTER_H
#define KV_CLIENT_CLI_EVENT_PRINTER_H

#include <kvzmq.h>

#include "client/cli/known.h"
#include "client/cli/output.h"

enum {
    EVENT_KNOWN_MAX = 64 * 1024 * 1024 /* bytes of memory for values that may become old ones */
};

typedef struct event_printer {
    known_t *known; /* owned */
    bool whole;     /* READY says that all entries were told */
} event_printer_t;

/* WHOLE: the stream begins with the state. Returns false if memory is refused; *PRINTER is to be released
 * in any case. */
KV_MUST_USE bool event_printer_init(event_printer_t *printer, bool whole);
void event_printer_release(event_printer_t *printer);

/* Shows EVENT, the next one of its stream, on OUTPUT. NOW_MS (since 1970) is shown where it has no time. */
void event_printer_print(event_printer_t *printer, output_t *output, const kvzmq_event_t *event,
                         uint64_t now_ms);

#endif
