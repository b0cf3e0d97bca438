/* SPDX-License-Identifier: MPL-2.0 */
/* The format of the lines of a watch. */
#include "client/cli/event_printer.h"

#include <assert.h>

#include "client/cli/cell.h"
#include "client/slice.h"

enum {
    LINE_MAX_BYTES =
        16 * 1024,        /* bytes of a line for people: time, ids, a key of 1 KiB, two values cut short */
    BINARY_SHOWN_MAX = 64 /* bytes of a binary value; of a longer one, only the size is shown */
};

bool event_printer_init(event_printer_t *printer, bool whole)
{
    *printer = (event_printer_t){.known = known_new(EVENT_KNOWN_MAX), .whole = whole};
    return printer->known != NULL;
}

void event_printer_release(event_printer_t *printer)
{
    known_destroy(&printer->known);
}

/* ---- Cells ------------------------------------------------------------------------------------ */

static cell_t cell_from_seq(const kvzmq_event_t *event)
{
    bool none = event->seq == 0 && event->kind != KVZMQ_EVENT_READY;
    return none ? cell_nil() : cell_of(CELL_NUMBER, event->seq);
}

static cell_t cell_from_known(const known_value_t *value)
{
    if (value->state != KNOWN_VALUE)
        return cell_nil();
    return cell_value(value->bytes, value->binary);
}

/* ---- Known values ----------------------------------------------------------------------------- */

/* Whether the event sets the value of an entry. */
static bool sets_value(const kvzmq_event_t *event)
{
    return event->kind == KVZMQ_EVENT_PUT || event->kind == KVZMQ_EVENT_ENTRY;
}

static bool removes_value(const kvzmq_event_t *event)
{
    return event->kind == KVZMQ_EVENT_DEL || event->kind == KVZMQ_EVENT_EXPIRE;
}

/* The value of an entry after EVENT, which sets it. */
static known_value_t value_set(const kvzmq_event_t *event)
{
    if (!event->has_value)
        return (known_value_t){.state = KNOWN_SIZE, .size = event->value_size};
    return (known_value_t){.state = KNOWN_VALUE,
                           .bytes = slice_bytes(event->value),
                           .size = event->value.size,
                           .binary = event->value.binary};
}

/* Before EVENT is shown: forgets what EVENT makes invalid. */
static void learn_before(event_printer_t *printer, const kvzmq_event_t *event)
{
    bool first =
        event->kind < KVZMQ_EVENT_OTHER && event->prev == 0; /* the first event of its client's store */
    if (event->kind == KVZMQ_EVENT_RESET)
        known_forget(printer->known);
    else if (first)
        known_begin(printer->known, slice_bytes(event->client));
}

/* After EVENT was shown: records what it says. */
static void learn_after(event_printer_t *printer, const kvzmq_event_t *event)
{
    bytes_t client = slice_bytes(event->client);
    bytes_t key = slice_bytes(event->key);
    if (sets_value(event)) {
        known_value_t value = value_set(event);
        known_set(printer->known, client, key, &value);
    } else if (removes_value(event)) {
        known_set(printer->known, client, key, &(known_value_t){.state = KNOWN_ABSENT});
    } else if (event->kind == KVZMQ_EVENT_DROP) {
        known_begin(printer->known, client);
    } else if (event->kind == KVZMQ_EVENT_READY && (printer->whole || event->seq == 0)) {
        /* At seq 0 all stores were empty. */
        known_complete(printer->known);
    }
}

/* ---- For people ------------------------------------------------------------------------------- */

static void line_add(buffer_t *line, const char *text)
{
    buffer_append(line, text, strlen(text));
}

/* With milliseconds, because changes may follow each other quickly. */
static void line_add_time(buffer_t *line, uint64_t time_ms)
{
    char fraction[8];
    const cell_t seconds = cell_of(CELL_TIME, time_ms);
    (void)snprintf(fraction, sizeof fraction, ".%03u", (unsigned)(time_ms % 1000));
    cell_write_short(&seconds, line);
    line_add(line, fraction);
}

static void line_add_size(buffer_t *line, uint64_t size)
{
    char text[48];
    (void)snprintf(text, sizeof text, "<%llu bytes>", (unsigned long long)size);
    line_add(line, text);
}

static void line_add_bytes(buffer_t *line, const known_value_t *value)
{
    const cell_t cell = cell_from_known(value);
    if (value->binary && value->bytes.size > BINARY_SHOWN_MAX)
        line_add_size(line, value->bytes.size);
    else
        cell_write_quoted(&cell, false, line);
}

static void line_add_value(buffer_t *line, const known_value_t *value)
{
    switch (value->state) {
    case KNOWN_NOT:
        line_add(line, "?");
        break;
    case KNOWN_ABSENT:
        line_add(line, "<blank>");
        break;
    case KNOWN_VALUE:
        line_add_bytes(line, value);
        break;
    case KNOWN_SIZE:
        line_add_size(line, value->size);
        break;
    }
}

/* Adds " old -> new" for a change; " value" for an entry of the state. */
static void line_add_change(buffer_t *line, const kvzmq_event_t *event, const known_value_t *old)
{
    known_value_t value =
        sets_value(event) ? value_set(event) : (known_value_t){.state = KNOWN_ABSENT, .size = 0};
    line_add(line, "  ");
    if (event->kind != KVZMQ_EVENT_ENTRY) {
        line_add_value(line, old);
        line_add(line, " -> ");
    }
    line_add_value(line, &value);
    if (sets_value(event) && event->ttl_ms >= 0) {
        const cell_t ttl = cell_of(CELL_DURATION, (uint64_t)event->ttl_ms);
        line_add(line, " for ");
        cell_write_short(&ttl, line);
    }
}

/* Adds who made the change. Not for connect and disconnect, unless another client caused it. */
static void line_add_by(buffer_t *line, const kvzmq_event_t *event)
{
    bool named = event->by.size > 0;
    bool own = event->kind == KVZMQ_EVENT_CONNECT || event->kind == KVZMQ_EVENT_DISCONNECT;
    if (event->kind > KVZMQ_EVENT_OTHER || (own && !named))
        return;
    const cell_t by = cell_from_slice(event->by);
    const cell_t user = cell_from_slice(event->user);
    line_add(line, "  by ");
    if (named)
        cell_write_quoted(&by, false, line);
    else
        line_add(line, "the broker");
    if (event->user.size > 0) {
        line_add(line, " (");
        cell_write_quoted(&user, false, line);
        line_add(line, ")");
    }
}

/* Adds the text of an event that is not about an entry. */
static void line_add_remark(buffer_t *line, const kvzmq_event_t *event)
{
    const cell_t value = cell_from_slice(event->value);
    const cell_t epoch = cell_from_slice(event->epoch);
    switch (event->kind) {
    case KVZMQ_EVENT_READY:
        line_add(line, "  later events follow; epoch ");
        cell_write_short(&epoch, line);
        break;
    case KVZMQ_EVENT_AGAIN:
        line_add(line, "  the broker is back");
        break;
    default: /* disconnect, role, lost, reset, and kinds of a newer broker */
        if (event->value.data != NULL)
            line_add(line, "  ");
        if (event->value.data != NULL)
            cell_write_short(&value, line);
        break;
    }
    if (event->kind == KVZMQ_EVENT_RESET)
        line_add(line, ": forget what was shown before");
}

static void line_write(buffer_t *line, const kvzmq_event_t *event, uint64_t time_ms, const known_value_t *old)
{
    const cell_t cells[] = {
        cell_from_seq(event),
        cell_unless_empty(event->client),
        cell_word(kvzmq_event_kind_text(event->kind)),
    };
    line_add_time(line, time_ms);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        line_add(line, "  ");
        cell_write_quoted(&cells[i], false, line);
    }
    if (event->key.data != NULL) {
        /* Never cut: its length is limited by the broker, and a cut key is useless. */
        const cell_t key = cell_from_slice(event->key);
        line_add(line, "  ");
        cell_write_quoted(&key, true, line);
    }
    if (sets_value(event) || removes_value(event))
        line_add_change(line, event, old);
    else
        line_add_remark(line, event);
    line_add_by(line, event);
}

/* ---- Events ----------------------------------------------------------------------------------- */

static void event_show(output_t *output, const cell_t *line, const kvzmq_event_t *event, uint64_t time_ms,
                       const known_value_t *old)
{
    static const column_t columns[] = {
        {"time_ms", "", FIT_LEFT}, {"epoch", "", FIT_LEFT},     {"seq", "", FIT_LEFT},
        {"client", "", FIT_LEFT},  {"kind", "", FIT_LEFT},      {"key", "", FIT_LEFT},
        {"old", "", FIT_LEFT},     {"old_known", "", FIT_LEFT}, {"value", "", FIT_LEFT},
        {"size", "", FIT_LEFT},    {"ttl_ms", "", FIT_LEFT},    {"revision", "", FIT_LEFT},
        {"by", "", FIT_LEFT},      {"user", "", FIT_LEFT},
    };
    bool changes = event->kind == KVZMQ_EVENT_PUT || removes_value(event);
    bool valued = sets_value(event);
    const cell_t cells[] = {
        cell_of(CELL_TIME, time_ms),
        cell_unless_empty(event->epoch),
        cell_from_seq(event),
        cell_unless_empty(event->client),
        cell_word(kvzmq_event_kind_text(event->kind)),
        cell_from_slice(event->key),
        cell_from_known(old),
        changes ? cell_of(CELL_BOOL, old->state == KNOWN_ABSENT || old->state == KNOWN_VALUE) : cell_nil(),
        valued && !event->has_value ? cell_nil() : cell_from_slice(event->value),
        valued ? cell_of(CELL_NUMBER, event->value_size) : cell_nil(),
        valued && event->ttl_ms >= 0 ? cell_of(CELL_DURATION, (uint64_t)event->ttl_ms) : cell_nil(),
        valued ? cell_of(CELL_NUMBER, event->revision) : cell_nil(),
        cell_unless_empty(event->by),
        cell_unless_empty(event->user),
    };
    static_assert(sizeof cells / sizeof *cells == sizeof columns / sizeof *columns, "a cell a column");
    output->ops->done(output, line, 1, columns, cells, sizeof cells / sizeof *cells);
}

void event_printer_print(event_printer_t *printer, output_t *output, const kvzmq_event_t *event,
                         uint64_t now_ms)
{
    uint64_t time_ms = event->time_ms > 0 ? event->time_ms : now_ms;
    known_value_t old = {.state = KNOWN_NOT};
    learn_before(printer, event);
    if (event->key.data != NULL && event->kind != KVZMQ_EVENT_ENTRY)
        old = known_find(printer->known, slice_bytes(event->client), slice_bytes(event->key));
    buffer_t line;
    buffer_init(&line, LINE_MAX_BYTES);
    line_write(&line, event, time_ms, &old);
    if (line.failed)
        output->failed = true;
    const cell_t word = cell_text(buffer_bytes(&line));
    event_show(output, &word, event, time_ms, &old);
    buffer_release(&line);
    learn_after(printer, event);
}
