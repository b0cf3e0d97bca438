/* SPDX-License-Identifier: MPL-2.0 */
/* Runs the phases in order, and reports progress on standard error. */
#include "client/cli/bench/run.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client/cli/bench/worker.h"
#include "client/cli/interrupt.h"
#include "common/clock.h"

enum { PROGRESS_MS = 1000 };

typedef struct run {
    const bench_plan_t *plan;
    bench_result_t *result;
    worker_t *workers; /* owned; plan->threads of them */
    int ended_fd;
    bool terminal;
} run_t;

/* ---- Clients ---------------------------------------------------------------------------------- */

/* Raises the limit of descriptors to the maximum: each client needs several. */
static void descriptors_allow(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void run_lose(run_t *run, kvzmq_status_t status, const char *text)
{
    bench_result_t *result = run->result;
    if (status == KVZMQ_INTERRUPTED) {
        result->interrupted = true;
        interrupt_clear();
    } else if (result->fault == FAULT_NONE) {
        result->fault = FAULT_LOST;
        result->status = status;
        (void)snprintf(result->problem, sizeof result->problem, "%s", text);
    }
}

/* Makes and connects the clients, until one fails. */
static void clients_connect(run_t *run, const kvzmq_options_t *connection)
{
    descriptors_allow();
    for (uint64_t i = 0; i < run->plan->threads; i++) {
        worker_t *worker = &run->workers[i];
        if (!worker_init(worker, run->plan, i, connection)) {
            run_lose(run, KVZMQ_NO_MEMORY, "no memory for the clients");
            return;
        }
        for (; worker->connected < worker->count; worker->connected++) {
            kvzmq_t *conn = bench_client_connection(worker->clients[worker->connected]);
            kvzmq_status_t status = interrupt_pending() ? KVZMQ_INTERRUPTED : kvzmq_connect(conn);
            if (status != KVZMQ_OK) {
                run_lose(run, status, kvzmq_error(conn));
                return;
            }
        }
    }
}

/* Ends the sessions in an orderly way, so that the broker does not see them as lost. */
static void clients_leave(run_t *run)
{
    for (uint64_t i = 0; i < run->plan->threads; i++) {
        for (size_t j = 0; j < run->workers[i].connected; j++) {
            if (kvzmq_bye(bench_client_connection(run->workers[i].clients[j])) != KVZMQ_OK)
                return; /* the others would fail too */
        }
    }
}

/* ---- Phases ----------------------------------------------------------------------------------- */

static uint64_t operations_done(const run_t *run)
{
    uint64_t done = 0;
    for (uint64_t i = 0; i < run->plan->threads; i++)
        done += atomic_load_explicit(&run->workers[i].operations, memory_order_relaxed);
    return done;
}

/* Shows progress until STARTED workers have ended. Ctrl-C ends them. */
static void phase_wait(run_t *run, worker_phase_t *phase, const char *what, uint64_t started)
{
    uint64_t begun = operations_done(run);
    uint64_t last = begun;
    int64_t last_ns = phase->start_ns;
    uint64_t ended = 0;
    while (ended < started) {
        uint64_t number;
        interrupt_wait_t news = interrupt_wait_files(&run->ended_fd, 1, PROGRESS_MS);
        if (news == WAIT_READABLE && read(run->ended_fd, &number, sizeof number) == sizeof number)
            ended += number;
        if (news == WAIT_INTERRUPT) {
            interrupt_clear();
            run->result->interrupted = true;
            atomic_store(&phase->stop, true);
        }
        int64_t now_ns = clock_monotonic_ns();
        if (!run->terminal || now_ns - last_ns < INT64_C(1000000) * PROGRESS_MS)
            continue;
        uint64_t done = operations_done(run);
        fprintf(stderr, "\r\033[K%s: %lld s, %llu operations, %.0f a second", what,
                (long long)((now_ns - phase->start_ns) / 1000000000), (unsigned long long)(done - begun),
                (double)(done - last) * 1e9 / (double)(now_ns - last_ns));
        last = done;
        last_ns = now_ns;
    }
    if (run->terminal)
        fputs("\r\033[K", stderr);
}

/* Adds up the results of the clients. */
static void result_collect(run_t *run)
{
    bench_result_t *result = run->result;
    bench_tally_t sum = {0};
    result->left = 0;
    for (uint64_t i = 0; i < run->plan->threads; i++) {
        for (size_t j = 0; j < run->workers[i].connected; j++) {
            const bench_client_t *client = run->workers[i].clients[j];
            const bench_tally_t *tally = bench_client_tally(client);
            kvzmq_status_t status;
            const char *text;
            bench_fault_t fault = bench_client_fault(client, &status, &text);
            sum.operations += tally->operations;
            sum.requests += tally->requests;
            sum.conflicts += tally->conflicts;
            sum.removed += tally->removed;
            sum.gone += tally->gone;
            sum.bad += tally->bad;
            for (size_t k = 0; k < TALLY_STATUSES; k++)
                sum.errors[k] += tally->errors[k];
            result->left += bench_client_left(client);
            if (fault != FAULT_NONE && result->fault == FAULT_NONE) {
                result->fault = fault;
                result->status = status;
                (void)snprintf(result->problem, sizeof result->problem, "%s", text);
            } else if (result->problem[0] == '\0') {
                (void)snprintf(result->problem, sizeof result->problem, "%s", bench_client_error(client));
            }
        }
    }
    result->tally = sum;
}

/* Runs a phase. Returns its duration (ns). */
static int64_t phase_run(run_t *run, bench_phase_t which, const char *what)
{
    worker_phase_t phase = {.phase = which, .start_ns = clock_monotonic_ns(), .ended_fd = run->ended_fd};
    uint64_t started = 0;
    while (started < run->plan->threads && worker_start(&run->workers[started], &phase))
        started++;
    if (started < run->plan->threads) {
        run_lose(run, KVZMQ_NO_MEMORY, "no memory, or no thread, for the clients");
        atomic_store(&phase.stop, which != PHASE_CLEAN);
    }
    phase_wait(run, &phase, what, started);
    for (uint64_t i = 0; i < started; i++)
        worker_join(&run->workers[i]);
    int64_t took_ns = clock_monotonic_ns() - phase.start_ns;
    result_collect(run);
    return took_ns;
}

static bool is_good(const run_t *run)
{
    return run->result->fault == FAULT_NONE && !run->result->interrupted;
}

/* Runs and measures the workload. LOADED: the tally before it. */
static void run_workload(run_t *run, const bench_tally_t *loaded)
{
    const bench_plan_t *plan = run->plan;
    bench_result_t *result = run->result;
    fprintf(stderr, "bench: running workload %s\n", plan->workload->name);
    result->elapsed_ns = phase_run(run, PHASE_RUN, "running");
    /* With a rate, the last answer may come some time before the end. */
    if (is_good(run) && result->elapsed_ns < (int64_t)plan->duration_ms * 1000000)
        result->elapsed_ns = (int64_t)plan->duration_ms * 1000000;
    result->tally.operations -= loaded->operations;
    result->tally.requests -= loaded->requests;
    for (uint64_t i = 0; i < plan->threads; i++)
        histogram_add(&result->latencies, &run->workers[i].latencies);
}

/* Deletes the keys, and says how many. */
static void run_clean(run_t *run)
{
    bench_result_t *result = run->result;
    bench_tally_t run_tally = result->tally;
    phase_run(run, PHASE_CLEAN, "deleting");
    result->tally.operations = run_tally.operations;
    result->tally.requests = run_tally.requests;
    fprintf(stderr, "bench: removed %llu keys\n", (unsigned long long)result->tally.removed);
    if (result->left > 0)
        fprintf(stderr, "bench: %llu keys may be left, in stores whose names begin with %s\n",
                (unsigned long long)result->left, run->plan->prefix);
    else
        clients_leave(run);
}

void bench_run(const bench_plan_t *plan, const kvzmq_options_t *connection, bool terminal,
               bench_result_t *result)
{
    run_t run = {.plan = plan, .result = result, .terminal = terminal};
    uint64_t stores = plan->shared ? 1 : plan->clients;
    *result = (bench_result_t){.fault = FAULT_NONE};
    run.ended_fd = eventfd(0, EFD_CLOEXEC);
    run.workers = calloc(plan->threads, sizeof *run.workers);
    if (run.ended_fd == -1 || run.workers == NULL) {
        run_lose(&run, KVZMQ_NO_MEMORY, "no memory, or no descriptor, for the clients");
        goto cleanup;
    }
    clients_connect(&run, connection);
    if (is_good(&run)) {
        fprintf(stderr, "bench: loading %llu keys into %llu %s, %s0%s\n", (unsigned long long)plan->keys,
                (unsigned long long)stores, stores == 1 ? "store" : "stores", plan->prefix,
                stores == 1 ? "" : " and so on");
        result->load_ns = phase_run(&run, PHASE_LOAD, "loading");
        bench_tally_t loaded = result->tally;
        result->tally.operations = 0;
        result->tally.requests = 0;
        if (is_good(&run) && loaded.bad == 0)
            run_workload(&run, &loaded);
        run_clean(&run);
    }
cleanup:
    for (uint64_t i = 0; run.workers != NULL && i < plan->threads; i++)
        worker_release(&run.workers[i]);
    free(run.workers);
    if (run.ended_fd != -1)
        (void)close(run.ended_fd);
}
