/* SPDX-License-Identifier: MPL-2.0 */
/* A watch and a mirror of all stores with libkvzmq. It is a process of its own, so that a test can stop and
 * kill it (watchers.py). watch_process.py does the same without libkvzmq.
 *
 *   watch_program ENDPOINT USER PASSWORD OUTPUT RECEIVE_HWM [SEQ EPOCH]
 *
 * It appends its stream to OUTPUT, one line for each event (seq, prev, kind, client, key, XXH64 of the value)
 * or reset ("reset", seq). When it reads a seq on standard input, it runs until its stream has reached it.
 * Then it prints as JSON the counts of the watch and the digest of each store in the mirror. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kvzmq.h>

#include "common/digest.h"
#include "tests/support/program.h"

#define PROGRAM "watch_program"

enum { LOOK_EVERY_MS = 50, MIRROR_MS = 60000, TEXT_MAX = 1100 };

/* The state of the stream. */
typedef struct stream {
    FILE *output;
    bool anew;    /* the next READY begins it anew: there is no position to continue from, or a RESET came */
    uint64_t seq; /* all events up to here were reported */
    char epoch[128];
} stream_t;

static void event_write(stream_t *stream, const kvzmq_event_t *event)
{
    fprintf(stream->output, "%" PRIu64 " %" PRIu64 " %s %.*s %.*s ", event->seq, event->prev,
            kvzmq_event_kind_text(event->kind), (int)event->client.size, (const char *)event->client.data,
            event->key.size > 0 ? (int)event->key.size : 1,
            event->key.size > 0 ? (const char *)event->key.data : "-");
    if (event->has_value || event->kind == KVZMQ_EVENT_DISCONNECT || event->kind == KVZMQ_EVENT_ROLE)
        fprintf(stream->output, "%" PRIu64 "\n", program_checksum(event->value));
    else
        fputs("-\n", stream->output);
}

static void event_take(stream_t *stream, const kvzmq_event_t *event)
{
    switch (event->kind) {
    case KVZMQ_EVENT_RESET:
        stream->anew = true;
        break;
    case KVZMQ_EVENT_READY:
        if (stream->anew)
            fprintf(stream->output, "reset %" PRIu64 "\n", event->seq);
        stream->anew = false;
        stream->seq = event->seq;
        snprintf(stream->epoch, sizeof stream->epoch, "%s", event->epoch.data);
        break;
    case KVZMQ_EVENT_POSITION:
        stream->seq = event->seq;
        break;
    case KVZMQ_EVENT_LOST:
    case KVZMQ_EVENT_AGAIN:
        break;
    default: /* an event */
        event_write(stream, event);
        stream->seq = event->seq;
    }
}

/* Returns the seq at which to stop, if standard input has one by now; otherwise UINT64_MAX. */
static uint64_t until_asked(void)
{
    char line[32];
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&input, 1, 0) <= 0)
        return UINT64_MAX;
    if (fgets(line, sizeof line, stdin) == NULL)
        program_fail(PROGRAM, "standard input", "ended");
    return program_number(PROGRAM, line);
}

static void watch_run(kvzmq_watch_t *watch, stream_t *stream)
{
    kvzmq_event_t event;
    uint64_t until = UINT64_MAX;
    while (stream->anew || stream->seq < until) {
        kvzmq_status_t status = kvzmq_watch_next(watch, LOOK_EVERY_MS, &event);
        for (; status == KVZMQ_OK; status = kvzmq_watch_next(watch, 0, &event))
            event_take(stream, &event);
        if (status != KVZMQ_TIMEOUT)
            program_fail(PROGRAM, "watch", kvzmq_watch_error(watch));
        fflush(stream->output);
        if (until == UINT64_MAX)
            until = until_asked();
    }
}

static uint64_t store_digest(kvzmq_mirror_t *mirror, const char *store)
{
    kvzmq_page_t *page = NULL;
    kvzmq_row_t entry;
    uint64_t digest = 0;
    char after[TEXT_MAX] = "";
    bool more = false;
    do {
        kvzmq_range_t range = {.size = sizeof range, .after = kvzmq_text(after)};
        kvzmq_status_t status = kvzmq_mirror_list(mirror, store, &range, &page);
        if (status != KVZMQ_OK)
            program_fail(PROGRAM, store, kvzmq_status_text(status));
        while (kvzmq_page_next(page, &entry)) {
            digest ^= digest_entry(bytes_of(entry.key.data, entry.key.size), entry.value.binary,
                                   bytes_of(entry.value.data, entry.value.size), entry.revision);
            snprintf(after, sizeof after, "%.*s", (int)entry.key.size, (const char *)entry.key.data);
        }
        more = kvzmq_page_more(page);
        kvzmq_page_destroy(&page);
    } while (more);
    return digest;
}

/* Waits until the mirror has reached the position of the stream, then prints the result. */
static void result_print(kvzmq_watch_t *watch, kvzmq_mirror_t *mirror, const stream_t *stream)
{
    kvzmq_watch_counts_t counts;
    char store[TEXT_MAX] = "";
    kvzmq_value_t next;
    kvzmq_watch_counts(watch, &counts);
    kvzmq_mirror_state_t state;
    do { /* the mirror may have reached this seq in the epoch of an earlier broker: then wait for the epoch */
        kvzmq_status_t status = kvzmq_mirror_wait(mirror, stream->seq, MIRROR_MS);
        if (status != KVZMQ_OK)
            program_fail(PROGRAM, "mirror", kvzmq_status_text(status));
        kvzmq_mirror_state(mirror, &state);
    } while (strcmp(state.position.epoch, stream->epoch) != 0 && poll(NULL, 0, LOOK_EVERY_MS) == 0);
    printf("{\"seq\": %" PRIu64 ", \"replays\": %" PRIu64 ", \"begun\": %" PRIu64 ", \"digests\": {",
           stream->seq, counts.repairs, counts.tickets);
    for (const char *comma = ""; kvzmq_mirror_next_store(mirror, store, &next) == KVZMQ_OK; comma = ", ") {
        snprintf(store, sizeof store, "%.*s", (int)next.size, (const char *)next.data);
        kvzmq_value_release(&next);
        printf("%s\"%s\": %" PRIu64, comma, store, store_digest(mirror, store));
    }
    puts("}}");
}

int main(int argc, char **argv)
{
    if (argc != 6 && argc != 8) {
        fputs("usage: watch_program ENDPOINT USER PASSWORD OUTPUT RECEIVE_HWM [SEQ EPOCH]\n", stderr);
        return 2;
    }
    kvzmq_options_t connection;
    kvzmq_options_init(&connection);
    connection.endpoint = argv[1];
    connection.user = argv[2];
    connection.password = argv[3];
    kvzmq_watch_options_t options;
    kvzmq_watch_options_init(&options);
    options.receive_hwm = (int)program_number(PROGRAM, argv[5]);
    stream_t stream = {.output = fopen(argv[4], "a"), .anew = argc == 6};
    if (stream.output == NULL)
        program_fail(PROGRAM, argv[4], "cannot be opened");
    if (argc == 8) {
        options.resume = true;
        options.since.seq = program_number(PROGRAM, argv[6]);
        snprintf(options.since.epoch, sizeof options.since.epoch, "%s", argv[7]);
    }
    kvzmq_watch_t *watch = kvzmq_watch_new(&connection, &options);
    kvzmq_mirror_t *mirror = kvzmq_mirror_new(&connection, NULL, kvzmq_text(""));
    if (watch == NULL || mirror == NULL)
        program_fail(PROGRAM, "watch and mirror", "cannot be made");
    watch_run(watch, &stream);
    result_print(watch, mirror, &stream);
    kvzmq_watch_destroy(&watch);
    kvzmq_mirror_destroy(&mirror);
    fclose(stream.output);
    return 0;
}
