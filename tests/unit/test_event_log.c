/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about the log of events, and a random comparison with a simple model: all events ever appended. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "broker/core/event_log.h"
#include "broker/net/resident.h"
#include "tests/support/chance.h"
#include "tests/support/volume.h"

enum {
    EVENTS = 3000, /* appended in a round */
    ROUNDS = 60,
    TEXT_MAX = 1500,        /* bytes of a model's value */
    OVERHEAD = 40 + 16 + 16 /* most bytes of a record without its texts */
};

/* ---- Claims ----------------------------------------------------------------------------------- */

static void append(event_log_t *log, uint64_t seq, const char *value)
{
    change_t change = {.seq = seq,
                       .kind = CHANGE_PUT,
                       .key = bytes_from_text("k"),
                       .value = bytes_from_text(value),
                       .by = &(actor_t){.client = {0}}};
    event_log_append(log, &change, bytes_from_text("lamp"), true);
}

static void assert_text(bytes_t bytes, const char *text)
{
    assert_true(bytes_equal(bytes, bytes_from_text(text)));
}

static void assert_value(const event_log_t *log, uint64_t seq, const char *value)
{
    event_t event;
    event_log_read(log, seq, &event);
    assert_int_equal(event.seq, seq);
    assert_text(event.value, value);
}

static event_log_t *log_new(uint64_t keep, uint64_t keep_bytes)
{
    event_log_t *log = event_log_new(keep, keep_bytes);
    assert_non_null(log);
    return log;
}

static void log__new__has_nothing_and_lost_nothing(void **state)
{
    (void)state;
    event_log_t *log = log_new(1, 1);
    assert_int_equal(event_log_oldest(log), 0);
    event_log_destroy(&log);
    assert_null(log);
    event_log_destroy(&log);
}

static void log__an_event__is_read_as_it_was_appended(void **state)
{
    (void)state;
    event_log_t *log = log_new(10, 4096);
    change_t in = {
        .seq = 1,
        .prev = UINT64_MAX,
        .time_ms = -5,
        .kind = CHANGE_DISCONNECT,
        .key = bytes_from_text("colour"),
        .value = bytes_from_text("red"),
        .binary = true,
        .ttl_ms = 77,
        .by = &(actor_t){.client = bytes_from_text("boss"), .user = bytes_from_text("adam"), .session = 12}};
    event_log_append(log, &in, bytes_from_text("lamp"), true);
    event_t out;
    event_log_read(log, 1, &out);
    assert_true(out.seq == 1 && out.prev == UINT64_MAX && out.time_ms == -5 && out.kind == CHANGE_DISCONNECT);
    assert_true(out.has_value && out.binary && out.size == 3);
    assert_true(out.ttl_ms == 77 && out.session == 12);
    assert_text(out.client, "lamp");
    assert_text(out.key, "colour");
    assert_text(out.value, "red");
    assert_text(out.by, "boss");
    assert_text(out.user, "adam");
    event_log_destroy(&log);
}

static void log__an_event_by_the_client_itself_without_its_value__has_its_size(void **state)
{
    (void)state;
    event_log_t *log = log_new(10, 4096);
    change_t in = {.seq = 1,
                   .kind = CHANGE_PUT,
                   .key = bytes_from_text("k"),
                   .value = bytes_of("", UINT32_MAX),
                   .by = &(actor_t){.client = bytes_from_text("lamp")}};
    event_log_append(log, &in, bytes_from_text("lamp"), false);
    event_t out;
    event_log_read(log, 1, &out);
    assert_true(!out.has_value && !out.binary && out.size == UINT32_MAX && out.ttl_ms == 0);
    assert_text(out.client, "lamp");
    assert_text(out.by, "lamp");
    assert_text(out.user, "");
    assert_text(out.value, "");
    event_log_destroy(&log);
}

static void log__keep__so_many_events_are_there_and_one_more_drops_the_oldest(void **state)
{
    (void)state;
    event_log_t *log = log_new(3, 1 << 16);
    append(log, 1, "a");
    append(log, 2, "b");
    append(log, 3, "c");
    assert_int_equal(event_log_oldest(log), 0);
    assert_value(log, 1, "a");
    append(log, 4, "d");
    assert_int_equal(event_log_oldest(log), 1);
    assert_value(log, 2, "b");
    assert_value(log, 4, "d");
    event_log_destroy(&log);
}

static void log__keep_1__has_the_newest(void **state)
{
    (void)state;
    event_log_t *log = log_new(1, 1 << 16);
    for (uint64_t seq = 1; seq <= 5; seq++) {
        append(log, seq, seq % 2 ? "odd" : "even");
        assert_int_equal(event_log_oldest(log), seq - 1);
        assert_value(log, seq, seq % 2 ? "odd" : "even");
    }
    event_log_destroy(&log);
}

static void log__an_event_larger_than_the_log__empties_it_and_the_next_is_kept(void **state)
{
    (void)state;
    char large[2049] = {0};
    memset(large, 'x', sizeof large - 1);
    event_log_t *log = log_new(100, 1024);
    append(log, 1, "a");
    append(log, 2, large);
    assert_int_equal(event_log_oldest(log), 2);
    append(log, 3, "b");
    assert_int_equal(event_log_oldest(log), 2);
    assert_value(log, 3, "b");
    event_log_destroy(&log);
}

/* The log could have 64 MiB, and in time the records move through all of it. */
static void log__small_events_for_long__takes_memory_only_for_those_that_are_kept(void **state)
{
    enum { KEEP = 65536, MEMORY = 16 << 20 };
    (void)state;
    uint64_t many = volume(3000000, 200000);
    event_log_t *log = log_new(KEEP, 64 << 20);
    int file = resident_open();
    assert_true(file >= 0);
    int64_t before = resident_bytes(file);
    char value[24];
    for (uint64_t seq = 1; seq <= many; seq++) {
        (void)snprintf(value, sizeof value, "%" PRIu64, seq);
        append(log, seq, value);
    }
    assert_true(resident_bytes(file) < before + MEMORY);
    close(file);
    for (uint64_t seq = many - KEEP + 1; seq <= many; seq++) {
        (void)snprintf(value, sizeof value, "%" PRIu64, seq);
        assert_value(log, seq, value);
    }
    event_log_destroy(&log);
}

/* ---- Compared with a model -------------------------------------------------------------------- */

/* What was appended with a seq: the sizes of the texts. Their bytes follow from the seq. */
typedef struct row {
    size_t sizes[5];
} row_t;

static uint8_t texts[5][TEXT_MAX];

static void texts_fill(uint64_t seq, const row_t *row)
{
    for (size_t i = 0; i < 5; i++)
        memset(texts[i], (int)((seq * 7 + i * 31) & 0xff), row->sizes[i]);
}

static void model_append(event_log_t *log, uint64_t seq, const row_t *row)
{
    texts_fill(seq, row);
    change_t change = {
        .seq = seq,
        .prev = seq / 2,
        .kind = (change_kind_t)(seq % CHANGE_KIND_COUNT),
        .key = bytes_of(texts[1], row->sizes[1]),
        .value = bytes_of(texts[2], row->sizes[2]),
        .ttl_ms = seq % 3,
        .by = &(actor_t){.client = bytes_of(texts[3], row->sizes[3]),
                         .user = bytes_of(texts[4], row->sizes[4]),
                         .session = ~seq},
    };
    event_log_append(log, &change, bytes_of(texts[0], row->sizes[0]), true);
}

static void model_assert_read(const event_log_t *log, uint64_t seq, const row_t *row)
{
    event_t event;
    event_log_read(log, seq, &event);
    assert_true(event.seq == seq && event.prev == seq / 2 && event.session == ~seq &&
                event.ttl_ms == seq % 3);
    assert_int_equal(event.kind, (change_kind_t)(seq % CHANGE_KIND_COUNT));
    texts_fill(seq, row);
    const bytes_t found[5] = {event.client, event.key, event.value, event.by, event.user};
    for (size_t i = 0; i < 5; i++)
        assert_true(bytes_equal(found[i], bytes_of(texts[i], row->sizes[i])));
}

static size_t row_size(const row_t *row)
{
    size_t size = OVERHEAD;
    for (size_t i = 0; i < 5; i++)
        size += row->sizes[i];
    return size;
}

/* Checks that the log keeps as much as its bounds allow. It never has more than KEEP events. If it dropped
 * some for space, the unused space, at its end and before its oldest record, is less than the largest records
 * take. */
static void model_assert_bounds(const event_log_t *log, uint64_t newest, uint64_t keep, size_t keep_bytes,
                                const row_t *rows, uint64_t dropped_before)
{
    uint64_t oldest = event_log_oldest(log);
    assert_true(oldest >= dropped_before && oldest <= newest && newest - oldest <= keep);
    size_t kept = 0;
    size_t largest = 0;
    for (uint64_t seq = oldest + 1; seq <= newest; seq++) {
        size_t size = row_size(&rows[seq]);
        kept += size;
        largest = size > largest ? size : largest;
    }
    assert_true(kept <= keep_bytes + (newest - oldest) * OVERHEAD);
    if (oldest == dropped_before || newest - oldest == keep || row_size(&rows[newest]) > keep_bytes / 2)
        return;
    largest = row_size(&rows[oldest]) > largest ? row_size(&rows[oldest]) : largest;
    assert_true(kept + 3 * largest + OVERHEAD >= keep_bytes);
}

static void round_run(chance_t *chance)
{
    uint64_t keep = 1 + chance_below(chance, chance_below(chance, 2) ? 20 : 400);
    size_t keep_bytes = 1024 + chance_below(chance, chance_below(chance, 2) ? 2000 : 100000);
    size_t value_max = 1 + chance_below(chance, TEXT_MAX);
    event_log_t *log = log_new(keep, keep_bytes);
    row_t *rows = calloc(EVENTS + 1, sizeof *rows);
    assert_non_null(rows);
    uint64_t before = 0;
    for (uint64_t seq = 1; seq <= EVENTS; seq++) {
        row_t *row = &rows[seq];
        *row = (row_t){.sizes = {1 + chance_below(chance, 20), chance_below(chance, 30),
                                 chance_below(chance, 4) ? chance_below(chance, value_max) : 0,
                                 chance_below(chance, 20),
                                 chance_below(chance, 3) ? 0 : chance_below(chance, 20)}};
        model_append(log, seq, row);
        model_assert_bounds(log, seq, keep, keep_bytes, rows, before);
        before = event_log_oldest(log);
        if (before < seq) {
            model_assert_read(log, before + 1, &rows[before + 1]);
            model_assert_read(log, seq, row);
            uint64_t any = before + 1 + chance_below(chance, seq - before);
            model_assert_read(log, any, &rows[any]);
        }
    }
    for (uint64_t seq = before + 1; seq <= EVENTS; seq++)
        model_assert_read(log, seq, &rows[seq]);
    free(rows);
    event_log_destroy(&log);
}

static void log__random_events_and_bounds__are_as_in_a_plain_model(void **state)
{
    (void)state;
    chance_t chance = chance_from(chance_seed());
    for (size_t i = volume(ROUNDS, ROUNDS / 30); i > 0; i--)
        round_run(&chance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log__new__has_nothing_and_lost_nothing),
        cmocka_unit_test(log__an_event__is_read_as_it_was_appended),
        cmocka_unit_test(log__an_event_by_the_client_itself_without_its_value__has_its_size),
        cmocka_unit_test(log__keep__so_many_events_are_there_and_one_more_drops_the_oldest),
        cmocka_unit_test(log__keep_1__has_the_newest),
        cmocka_unit_test(log__an_event_larger_than_the_log__empties_it_and_the_next_is_kept),
        cmocka_unit_test(log__small_events_for_long__takes_memory_only_for_those_that_are_kept),
        cmocka_unit_test(log__random_events_and_bounds__are_as_in_a_plain_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
