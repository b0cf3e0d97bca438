/* SPDX-License-Identifier: MPL-2.0 */
/* Measures the delivery of events to many subscribers, over TCP on the loopback interface. Compares the
 * broker with a bare XPUB in a process of its own, without admission, store or log. The bare XPUB gets the
 * same requests and sends the same answers and event frames, which are recorded from the broker. The program
 * starts the broker itself: the one that KVBROKER names, else ../bin/kvbroker relative to this program.
 *
 *   bench_events [ROUNDS | smoke [rates]]      (31 rounds take about two minutes; `rates`: report 1 only)
 *
 * Prints the median of the rounds with the quartiles. Within each round the contenders alternate every few
 * tenths of a second, and a ratio compares two neighbours, so other load on the machine affects both.
 *  1. events per second to 1, 10 and 100 subscribers, and the publisher's processor time for an event;
 *  2. the time from the answer to a put, and from its sending, to the event's arrival, one put at a time;
 *  3. 50 subscribers of which one reads nothing and has a full queue, compared with 50 and with 49 that read.
 *
 * No event is dropped for a subscriber that reads: the writer (64 puts in a payload) is never more than 384
 * events ahead of the slowest, and a run in which a subscriber misses an event fails. One thread of this
 * process reads for all subscribers. */
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "tests/bench/fanout.h"
#include "tests/bench/fanout_session.h"
#include "tests/bench/workload.h"
#include "tests/support/broker_process.h"

enum {
    BATCH = 64,
    RECORDED_BATCHES = 64,
    ROUNDS = 31,
    ROUNDS_MAX = 1000,
    SMOKE_DIVISOR = 20,
    CROWD = 50,            /* subscribers in reports 2 and 3 */
    FILL_EVENTS = 25600,   /* report 3: events that fill the stopped subscriber's queue */
    STOPPED_EVENTS = 4800, /* report 3: events that are measured */
    SECONDS_MAX = 900      /* then the program gives up */
};

/* One measurement of every round. */
typedef struct series {
    double values[ROUNDS_MAX];
    size_t count;
} series_t;

typedef struct bench {
    unsigned rounds;
    uint32_t divisor; /* divides the numbers of events */
    bare_publisher_t bare_process;
    broker_process_t broker_process;
    fanout_t *broker;
    fanout_t *bare;
    recording_t recording;
} bench_t;

static bench_t bench;

static void interrupted(int number)
{
    (void)number;
    fanout_interrupted = 1;
}

static void processes_stop(void)
{
    bare_publisher_stop(&bench.bare_process);
    if (bench.broker_process.pid != 0)
        broker_process_stop(&bench.broker_process);
}

/* ---- Figures ---------------------------------------------------------------------------------- */

static void series_add(series_t *series, double value)
{
    series->values[series->count++] = value;
}

/* Prints the median and the quartiles, and empties the series. */
static void series_print(series_t *series, const char *format)
{
    static const double parts[] = {0.5, 0.25, 0.75};
    static const char *const before[] = {" ", " (", " .. "};
    for (size_t i = 0; i < 3; i++) {
        printf("%s", before[i]);
        printf(format, quantile(series->values, series->count, parts[i]));
    }
    printf(")");
    series->count = 0;
}

/* Adds the median and the 99th percentile, in microseconds, of COUNT delays. Delay I runs from
 * BEGUN[I modulo BEGUN_COUNT] to ENDED[I]. */
static void delay_add(const double *begun, size_t begun_count, const double *ended, size_t count,
                      series_t *median, series_t *high)
{
    double *delays = malloc(count * sizeof *delays);
    if (delays == NULL)
        fanout_fail("out of memory");
    for (size_t i = 0; i < count; i++)
        delays[i] = (ended[i] - begun[i % begun_count]) * 1e6;
    series_add(median, quantile(delays, count, 0.5));
    series_add(high, quantile(delays, count, 0.99));
    free(delays);
}

/* Records the broker's events and answer under LOAD and gives them to the bare publisher. */
static void bare_teach(const load_t *load)
{
    fanout_record(bench.broker, load, &bench.recording);
    fanout_teach(bench.bare, &bench.recording);
}

static load_t load_of(uint32_t events)
{
    uint32_t batches = events / BATCH / bench.divisor;
    return (load_t){.batches = batches > 0 ? batches : 1, .batch = BATCH, .window = FANOUT_WINDOW};
}

/* ---- 1. Events a second ----------------------------------------------------------------------- */

enum { BROKER, BARE, SIDES };

static void rates_run(const load_t *load, unsigned subscribers, series_t rates[SIDES], series_t cpu[SIDES],
                      series_t ratios[2])
{
    for (unsigned round = 0; round < bench.rounds; round++) {
        double rate[SIDES];
        double used[SIDES];
        for (unsigned turn = 0; turn < SIDES; turn++) {
            unsigned side = (round + turn) % SIDES;
            timing_t timing;
            fanout_run(side == BROKER ? bench.broker : bench.bare, load, &timing);
            double events = (double)load->batches * load->batch;
            rate[side] = events * subscribers / timing.seconds;
            used[side] = timing.cpu_seconds / events * 1e6;
            series_add(&rates[side], rate[side] / 1e3);
            series_add(&cpu[side], used[side]);
            timing_release(&timing);
        }
        series_add(&ratios[0], rate[BROKER] / rate[BARE]);
        series_add(&ratios[1], used[BROKER] / used[BARE]);
    }
}

static void rates_report(void)
{
    static const struct {
        unsigned subscribers;
        uint32_t events;
    } rows[] = {{1, 64000}, {10, 19200}, {100, 3200}};
    static series_t rates[SIDES];
    static series_t cpu[SIDES];
    static series_t ratios[2];
    load_t record = {.batches = RECORDED_BATCHES, .batch = BATCH, .window = FANOUT_WINDOW};
    bare_teach(&record);
    printf("1. Events delivered a second, in thousands, all subscribers together; %d puts a payload\n",
           BATCH);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        load_t load = load_of(rows[i].events);
        fanout_resize(bench.broker, rows[i].subscribers);
        fanout_resize(bench.bare, rows[i].subscribers);
        rates_run(&load, rows[i].subscribers, rates, cpu, ratios);
        printf("%4u subscribers: broker", rows[i].subscribers);
        series_print(&rates[BROKER], "%.0f");
        printf(", bare");
        series_print(&rates[BARE], "%.0f");
        printf(", ratio");
        series_print(&ratios[0], "%.2f");
        printf("\n      publisher's us an event: broker");
        series_print(&cpu[BROKER], "%.1f");
        printf(", bare");
        series_print(&cpu[BARE], "%.1f");
        printf(", ratio");
        series_print(&ratios[1], "%.2f");
        printf("\n");
    }
}

/* ---- 2. Time to arrive ------------------------------------------------------------------------ */

enum { DELAYS = 6 };

static void delays_run(fanout_t *fanout, const load_t *load, series_t series[DELAYS])
{
    timing_t timing;
    fanout_run(fanout, load, &timing);
    size_t puts = timing.batches;
    size_t arrivals = puts * timing.members;
    delay_add(timing.answered, puts, timing.arrived, arrivals, &series[0], &series[1]);
    delay_add(timing.sent, puts, timing.arrived, arrivals, &series[2], &series[3]);
    delay_add(timing.sent, puts, timing.answered, puts, &series[4], &series[5]);
    timing_release(&timing);
}

static void delays_report(void)
{
    static const unsigned counts[] = {1, CROWD};
    static const char *const names[] = {"answer to event, p50",    "answer to event, p99",
                                        "put sent to event, p50",  "put sent to event, p99",
                                        "put sent to answer, p50", "put sent to answer, p99"};
    static series_t series[SIDES][DELAYS];
    load_t load = {.batches = 500 / bench.divisor, .batch = 1, .window = 1};
    bare_teach(&load);
    printf("2. Microseconds to arrive, one put at a time; below 0: before the answer\n");
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        fanout_resize(bench.broker, counts[i]);
        fanout_resize(bench.bare, counts[i]);
        for (unsigned round = 0; round < bench.rounds; round++) {
            delays_run(round % 2 ? bench.bare : bench.broker, &load, series[round % 2]);
            delays_run(round % 2 ? bench.broker : bench.bare, &load, series[1 - round % 2]);
        }
        for (unsigned j = 0; j < DELAYS; j++) {
            printf("%4u subscribers: %s: broker", counts[i], names[j]);
            series_print(&series[BROKER][j], "%.0f");
            printf(", bare");
            series_print(&series[BARE][j], "%.0f");
            printf("\n");
        }
    }
    fanout_resize(bench.bare, 0);
}

/* ---- 3. A stopped subscriber ------------------------------------------------------------------ */

enum { ALL_READ, ONE_STOPPED, ONE_LESS, CASES };

enum { PUTS, DELAY, CPU, FIGURES };

static const char *const figure_names[FIGURES] = {
    "thousand puts a second, each delivered to all that read:", "p99 from a put to its event, us:",
    "broker's us of processor a put:"};
static const char *const figure_formats[FIGURES] = {"%.2f", "%.0f", "%.1f"};

/* Runs FILL, a short warm-up and LOAD in case WHICH, and measures LOAD. FILL is more than the stopped
 * subscriber's buffers and queue can hold. Adds to GOT how many events the stopped subscriber received. */
static void case_run(unsigned which, const load_t *fill, const load_t *load, double figures[FIGURES],
                     series_t *got)
{
    load_t warm = *load;
    timing_t timing;
    series_t *median = calloc(2, sizeof *median);
    if (median == NULL)
        fanout_fail("out of memory");
    warm.batches = load->batches / 8 + 1;
    fanout_resize(bench.broker, 1);
    if (which == ONE_STOPPED)
        fanout_laggard_add(bench.broker);
    fanout_run(bench.broker, fill, &timing);
    timing_release(&timing);
    fanout_resize(bench.broker, which == ALL_READ ? CROWD : CROWD - 1);
    fanout_run(bench.broker, &warm, &timing);
    timing_release(&timing);
    fanout_run(bench.broker, load, &timing);
    double puts = (double)load->batches * load->batch;
    delay_add(timing.sent, timing.batches, timing.arrived, (size_t)timing.batches * timing.members,
              &median[0], &median[1]);
    figures[PUTS] = puts / timing.seconds / 1e3;
    figures[DELAY] = median[1].values[0];
    figures[CPU] = timing.cpu_seconds / puts * 1e6;
    timing_release(&timing);
    free(median);
    if (which != ONE_STOPPED)
        return;
    uint64_t events = fanout_laggard_remove(bench.broker);
    if (events > (uint64_t)fill->batches * fill->batch && bench.divisor == 1)
        fanout_fail("the stopped subscriber's queue was not full: it got %" PRIu64 " events", events);
    series_add(got, (double)events);
}

static void stopped_report(void)
{
    static const char *const names[CASES] = {"50 that read", "49 that read, 1 stopped", "49 that read"};
    static series_t series[CASES][FIGURES];
    static series_t ratios[CASES][FIGURES];
    static series_t got;
    load_t load = load_of(STOPPED_EVENTS);
    load_t fill = load_of(FILL_EVENTS);
    printf("3. One subscriber of %d is stopped\n", CROWD);
    for (unsigned round = 0; round < bench.rounds; round++) {
        double figures[CASES][FIGURES];
        for (unsigned turn = 0; turn < CASES; turn++) {
            unsigned which = (round + (round % 2 ? turn : CASES - turn)) % CASES; /* every order in turn */
            case_run(which, &fill, &load, figures[which], &got);
        }
        for (unsigned i = 0; i < CASES * FIGURES; i++) {
            unsigned which = i / FIGURES;
            unsigned figure = i % FIGURES;
            series_add(&series[which][figure], figures[which][figure]);
            series_add(&ratios[which][figure], figures[ONE_STOPPED][figure] / figures[which][figure]);
        }
    }
    for (unsigned figure = 0; figure < FIGURES; figure++) {
        for (unsigned which = 0; which < CASES; which++) {
            printf("%24s: %s", names[which], figure_names[figure]);
            series_print(&series[which][figure], figure_formats[figure]);
            if (which != ONE_STOPPED) {
                printf("; with 1 stopped, of this:");
                series_print(&ratios[which][figure], "%.3f");
            }
            printf("\n");
        }
    }
    printf("the stopped one got, of %" PRIu32 " events before and %" PRIu32 " in the measured time:",
           fill.batches * fill.batch, load.batches * load.batch);
    series_print(&got, "%.0f");
    printf("\n");
}

/* ---- The program ------------------------------------------------------------------------------ */

/* Sets KVBROKER, unless it is set, to the broker of the same build. */
static void program_find(void)
{
    char own[PATH_MAX] = "";
    char path[PATH_MAX + 32];
    if (readlink("/proc/self/exe", own, sizeof own - 1) < 0)
        fanout_fail("/proc/self/exe cannot be read: set KVBROKER to the broker's program");
    snprintf(path, sizeof path, "%s/../bin/kvbroker", dirname(own));
    setenv("KVBROKER", path, 0);
}

int main(int argc, char **argv)
{
    static const char *const options[] = {"session/timeout=3600", NULL};
    bool smoke = argc > 1 && strcmp(argv[1], "smoke") == 0;
    bool rates_only = argc == 3 && strcmp(argv[2], "rates") == 0;
    if (argc > 2 && !rates_only) {
        fputs("usage: bench_events [ROUNDS | smoke [rates]]\n", stderr);
        return 2;
    }
    uint64_t rounds = smoke ? 1 : argc > 1 ? number_of(argv[1]) : ROUNDS;
    bench.rounds = rounds < ROUNDS_MAX ? (unsigned)rounds : ROUNDS_MAX;
    bench.divisor = smoke ? SMOKE_DIVISOR : 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    program_find();
    signal(SIGINT, interrupted);
    signal(SIGTERM, interrupted);
    signal(SIGALRM, interrupted);
    alarm(SECONDS_MAX);
    atexit(processes_stop);
    if (bare_publisher_start(&bench.bare_process) != 0)
        fanout_fail("the bare publisher did not start");
    broker_process_start(&bench.broker_process, false, options);
    void *context = zmq_ctx_new();
    bench.broker = fanout_to_broker(context, bench.broker_process.pid, bench.broker_process.endpoint,
                                    BROKER_USER, BROKER_PASSWORD);
    bench.bare = fanout_to_bare(context, &bench.bare_process);
    rates_report();
    if (!rates_only) {
        delays_report();
        stopped_report();
    }
    recording_release(&bench.recording);
    fanout_destroy(&bench.bare);
    fanout_destroy(&bench.broker);
    zmq_ctx_term(context);
    return 0;
}
