/* SPDX-License-Identifier: MPL-2.0 */
/* A client that follows the changes of its own store with kvzmq_on_change, and also changes the store. It is
 * a process of its own, so that a test can stop and kill it (test_own_whole.py).
 *
 *   own_program ENDPOINT NAME OUTPUT SEED [SEQ EPOCH]
 *
 * It appends what it learns to OUTPUT at once, one line each. The test builds a copy of the store from them:
 *
 *   told SEQ KIND KEY VALUE     a change; VALUE is the XXH64 of the value, "-" if the change has none
 *   reset                       changes may have been missed: ignore everything before
 *   begin                       begins to read the store again
 *   row KEY REVISION VALUE      an entry that was read
 *   page AFTER LAST SEQ         end of a page: keys after AFTER, up to LAST ("-" = to the end), are as of SEQ
 *   listed SEQ EPOCH            the store was read; SEQ and EPOCH are the position
 *   own KIND KEY SEQ VALUE      the answer to its own put or del
 *   quiet                       it makes no more changes, because a line came on standard input
 *
 * SEQ and EPOCH are the position at which to continue. Without them it begins by reading the store. It ends
 * when standard input ends. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kvzmq.h>

#include "tests/support/chance.h"
#include "tests/support/program.h"

#define PROGRAM "own_program"

enum {
    CALL_MS = 400, /* shorter than some faults of the test, so that calls time out */
    LISTEN_MAX_MS = 30,
    PAUSE_MS = 10, /* after a failure */
    PAGE_ROWS = 7, /* the store needs several pages */
    KEYS = 20,
    KEY_SIZE = 16,
    OWN_PART = 6 /* one of OWN_PART steps is a change of its own */
};

typedef struct own {
    kvzmq_t *conn;
    FILE *output;
    bool stale; /* the store must be read */
    bool quiet; /* makes no changes of its own */
    bool ended; /* standard input has ended */
    chance_t chance;
} own_t;

/* ---- Changes that are reported ------------------------------------------------------------------ */

static void changed(void *context, const kvzmq_event_t *event)
{
    own_t *own = context;
    if (event->kind == KVZMQ_EVENT_RESET) {
        own->stale = true;
        fputs("reset\n", own->output);
        return;
    }
    fprintf(own->output, "told %" PRIu64 " %s %s ", event->seq, kvzmq_event_kind_text(event->kind),
            event->key.data);
    if (event->has_value)
        fprintf(own->output, "%" PRIu64 "\n", program_checksum(event->value));
    else
        fputs("-\n", own->output);
}

/* ---- Steps --------------------------------------------------------------------------------------- */

static void page_write(own_t *own, kvzmq_page_t *page, char after[KEY_SIZE])
{
    kvzmq_row_t row;
    char last[KEY_SIZE];
    snprintf(last, sizeof last, "%s", after);
    while (kvzmq_page_next(page, &row)) {
        fprintf(own->output, "row %s %" PRIu64 " %" PRIu64 "\n", row.key.data, row.revision,
                program_checksum(row.value));
        snprintf(last, sizeof last, "%s", row.key.data);
    }
    fprintf(own->output, "page %s %s %" PRIu64 "\n", *after != '\0' ? after : "-",
            kvzmq_page_more(page) ? last : "-", kvzmq_page_seq(page));
    memcpy(after, last, sizeof last);
}

/* Reads the store. If a reset or a failure comes meanwhile, it stays stale and is read again. */
static kvzmq_status_t store_read(own_t *own)
{
    char after[KEY_SIZE] = "";
    kvzmq_position_t position;
    bool more = true;
    own->stale = false; /* a reset that comes later sets it again */
    fputs("begin\n", own->output);
    while (more && !own->stale) {
        kvzmq_page_t *page = NULL;
        kvzmq_range_t range = {.size = sizeof range, .after = kvzmq_text(after), .limit = PAGE_ROWS};
        kvzmq_status_t status = kvzmq_list(own->conn, NULL, &range, &page);
        if (status != KVZMQ_OK) {
            own->stale = true;
            return status;
        }
        page_write(own, page, after);
        more = kvzmq_page_more(page);
        kvzmq_page_destroy(&page);
    }
    if (own->stale || !kvzmq_change_position(own->conn, &position))
        return KVZMQ_OK;
    fprintf(own->output, "listed %" PRIu64 " %s\n", position.seq, position.epoch);
    return KVZMQ_OK;
}

static kvzmq_status_t store_change(own_t *own)
{
    char key[KEY_SIZE];
    char value[2 * KEY_SIZE];
    uint64_t seq;
    bool put = chance_below(&own->chance, 3) > 0;
    snprintf(key, sizeof key, "k%zu", chance_below(&own->chance, KEYS));
    int size = snprintf(value, sizeof value, "own %zu", chance_below(&own->chance, 1000000));
    kvzmq_slice_t bytes = kvzmq_binary(value, (size_t)size);
    kvzmq_status_t status = put ? kvzmq_put(own->conn, NULL, kvzmq_text(key), bytes, NULL, &seq)
                                : kvzmq_del(own->conn, NULL, kvzmq_text(key), NULL, &seq);
    if (status == KVZMQ_OK && put)
        fprintf(own->output, "own put %s %" PRIu64 " %" PRIu64 "\n", key, seq, program_checksum(bytes));
    else if (status == KVZMQ_OK)
        fprintf(own->output, "own del %s %" PRIu64 " -\n", key, seq);
    return status == KVZMQ_ABSENT ? KVZMQ_OK : status;
}

static kvzmq_status_t step(own_t *own)
{
    if (own->stale)
        return store_read(own);
    if (!own->quiet && chance_below(&own->chance, OWN_PART) == 0)
        return store_change(own);
    kvzmq_status_t status = kvzmq_listen(own->conn, (int)chance_below(&own->chance, LISTEN_MAX_MS));
    return status == KVZMQ_TIMEOUT ? KVZMQ_OK : status;
}

/* Whether STATUS is success or a temporary failure. */
static bool passes(kvzmq_status_t status)
{
    return status == KVZMQ_OK || status == KVZMQ_UNREACHABLE || status == KVZMQ_TIMEOUT ||
           status == KVZMQ_OUTCOME_UNKNOWN || status == KVZMQ_PROTOCOL;
}

static void input_look(own_t *own)
{
    char line[16];
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&input, 1, 0) <= 0)
        return;
    own->ended = read(STDIN_FILENO, line, sizeof line) <= 0;
    if (!own->quiet && !own->ended)
        fputs("quiet\n", own->output);
    own->quiet = true;
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 7) {
        fputs("usage: own_program ENDPOINT NAME OUTPUT SEED [SEQ EPOCH]\n", stderr);
        return 2;
    }
    kvzmq_options_t options;
    kvzmq_options_init(&options);
    options.endpoint = argv[1];
    options.name = argv[2];
    options.call_ms = CALL_MS;
    kvzmq_position_t since = {0};
    if (argc == 7) {
        since.seq = program_number(PROGRAM, argv[5]);
        snprintf(since.epoch, sizeof since.epoch, "%s", argv[6]);
    }
    own_t own = {.conn = kvzmq_new(&options),
                 .output = fopen(argv[3], "a"),
                 .stale = argc == 5,
                 .chance = chance_from(program_number(PROGRAM, argv[4]))};
    if (own.conn == NULL || own.output == NULL)
        program_fail(PROGRAM, argv[3], "no connection, or it cannot be opened");
    setvbuf(own.output, NULL, _IOLBF, BUFSIZ);
    bool listens = false;
    while (!own.ended) {
        kvzmq_status_t status =
            listens ? step(&own) : kvzmq_on_change(own.conn, changed, &own, argc == 7 ? &since : NULL);
        if (!passes(status))
            program_fail(PROGRAM, kvzmq_status_text(status), kvzmq_error(own.conn));
        if (status == KVZMQ_OK)
            listens = true;
        else
            (void)poll(NULL, 0, PAUSE_MS);
        input_look(&own);
    }
    kvzmq_destroy(&own.conn);
    fclose(own.output);
    return 0;
}
