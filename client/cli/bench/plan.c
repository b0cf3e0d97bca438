/* SPDX-License-Identifier: MPL-2.0 */
/* The table of workloads, and the rules for a valid plan. */
#include "client/cli/bench/plan.h"

#include <sodium.h>
#include <unistd.h>

#include "client/cli/bench/entry.h"

enum {
    REQUEST_EXTRA = 64, /* most bytes of a request or list row besides key and value */
    DEFAULT_KEYS = 100000,
    DEFAULT_CLIENTS = 10,
    DEFAULT_KEY_SIZE = 16,
    DEFAULT_VALUE_SIZE = 32,
    DEFAULT_DURATION_MS = 10000
};

const workload_t workloads[] = {
    {"get", "reads", DISTRIBUTION_UNIFORM, {[BENCH_GET] = 100}},
    {"put", "updates", DISTRIBUTION_UNIFORM, {[BENCH_PUT] = 100}},
    {"mixed", "9 reads to 1 update", DISTRIBUTION_UNIFORM, {[BENCH_GET] = 90, [BENCH_PUT] = 10}},
    {"a", "YCSB A: half reads, half updates", DISTRIBUTION_ZIPFIAN, {[BENCH_GET] = 50, [BENCH_PUT] = 50}},
    {"b", "YCSB B: 95 % reads, 5 % updates", DISTRIBUTION_ZIPFIAN, {[BENCH_GET] = 95, [BENCH_PUT] = 5}},
    {"c", "YCSB C: reads", DISTRIBUTION_ZIPFIAN, {[BENCH_GET] = 100}},
    {"d",
     "YCSB D: 95 % reads of the latest keys, 5 % new keys",
     DISTRIBUTION_LATEST,
     {[BENCH_GET] = 95, [BENCH_INSERT] = 5}},
    {"e",
     "YCSB E: 95 % lists of 1 to 100 entries, 5 % new keys",
     DISTRIBUTION_ZIPFIAN,
     {[BENCH_LIST] = 95, [BENCH_INSERT] = 5}},
    {"f",
     "YCSB F: half reads, half read-modify-write with if_revision",
     DISTRIBUTION_ZIPFIAN,
     {[BENCH_GET] = 50, [BENCH_MODIFY] = 50}},
    {.name = NULL},
};

static const char *const distributions[DISTRIBUTIONS] = {"uniform", "zipfian", "latest"};

const workload_t *workload_find(bytes_t name)
{
    for (const workload_t *workload = workloads; workload->name != NULL; workload++) {
        if (bytes_equal(name, bytes_from_text(workload->name)))
            return workload;
    }
    return NULL;
}

void workload_help(FILE *stream)
{
    fputs("\nWorkloads:\n", stream);
    for (const workload_t *workload = workloads; workload->name != NULL; workload++)
        fprintf(stream, "  %-7s %s (%s)\n", workload->name, workload->help,
                distributions[workload->distribution]);
    fputs("\n"
          "First the keys are put; this is not measured. At the end, after Ctrl-C too, they are deleted. "
          "Every answer\n"
          "is checked. If one is wrong or an error, the exit status is 1. A conflict in workload f is not an "
          "error.\n"
          "\n"
          "With --batch N the N requests of a message have the latency of the message. A read-modify-write "
          "counts as\n"
          "one operation, with the latency of both requests. Latencies are rounded up by at most 0.8 %.\n"
          "\n"
          "With --rate all requests that were due in --duration are sent, even if the broker is too slow and "
          "that takes\n"
          "longer. The latency of each counts from the time at which it was due.\n",
          stream);
}

bench_op_t workload_next(const workload_t *workload, dice_t *dice)
{
    uint64_t drawn = dice_below(dice, 100);
    bench_op_t op = BENCH_GET;
    while (drawn >= workload->percent[op])
        drawn -= workload->percent[op++];
    return op;
}

const char *distribution_name(distribution_t distribution)
{
    return distributions[distribution];
}

distribution_t distribution_find(bytes_t name)
{
    distribution_t found = DISTRIBUTION_UNIFORM;
    while (found < DISTRIBUTIONS && !bytes_equal(name, bytes_from_text(distributions[found])))
        found++;
    return found;
}

void bench_plan_init(bench_plan_t *plan)
{
    *plan = (bench_plan_t){
        .workload = workloads,
        .clients = DEFAULT_CLIENTS,
        .in_flight = 1,
        .batch = 1,
        .keys = DEFAULT_KEYS,
        .key_size = DEFAULT_KEY_SIZE,
        .value_size = DEFAULT_VALUE_SIZE,
    };
    randombytes_buf(&plan->seed, sizeof plan->seed);
    (void)snprintf(plan->prefix, sizeof plan->prefix, "bench-%08x-", (unsigned)randombytes_random());
}

uint64_t bench_plan_share(const bench_plan_t *plan, uint64_t index)
{
    return plan->keys / plan->clients + (index < plan->keys % plan->clients);
}

/* Leaves half of the processors to the broker. */
static uint64_t threads_default(const bench_plan_t *plan)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t threads = processors > 2 ? (uint64_t)processors / 2 : 1;
    return threads < plan->clients ? threads : plan->clients;
}

typedef struct bound {
    const char *option;
    uint64_t value;
    uint64_t least;
    uint64_t most;
} bound_t;

static bool bounds_check(const bench_plan_t *plan, const kvzmq_session_t *session, problem_t *problem)
{
    const bound_t bounds[] = {
        {"--clients", plan->clients, 1, PLAN_CLIENTS_MAX},
        {"--threads", plan->threads, 1, PLAN_THREADS_MAX},
        {"--in-flight", plan->in_flight, 1, KVZMQ_BATCHES_MAX},
        {"--batch", plan->batch, 1, session->limit_batch},
        {"--keys", plan->keys, 1, PLAN_KEYS_MAX},
        {"--key-size", plan->key_size, 1, session->limit_key},
        {"--value-size", plan->value_size, ENTRY_VALUE_MIN, session->limit_value},
        {"--rate", plan->rate, 0, PLAN_RATE_MAX},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        const bound_t *bound = &bounds[i];
        if (bound->value < bound->least || bound->value > bound->most)
            return problem_set(problem, "%s takes %llu to %llu here, not %llu", bound->option,
                               (unsigned long long)bound->least, (unsigned long long)bound->most,
                               (unsigned long long)bound->value);
    }
    return true;
}

/* Whether there are enough keys of that size, also for inserts. */
static bool keys_check(const bench_plan_t *plan, problem_t *problem)
{
    const workload_t *workload = plan->workload;
    if (plan->keys < plan->clients && !plan->shared)
        return problem_set(problem, "--keys must be at least --clients: each client has a store of its own");
    if (plan->keys > entry_keys(plan->key_size))
        return problem_set(problem,
                           "--keys is above the number of different keys of %llu bytes: increase --key-size",
                           (unsigned long long)plan->key_size);
    if (workload->percent[BENCH_INSERT] > 0 && plan->key_size < ENTRY_KEY_DIGITS)
        return problem_set(problem, "workload %s adds keys, for which --key-size must be at least %d",
                           workload->name, ENTRY_KEY_DIGITS);
    return true;
}

bool bench_plan_check(bench_plan_t *plan, const kvzmq_session_t *session, problem_t *problem)
{
    if (plan->threads == 0)
        plan->threads = threads_default(plan);
    if (plan->threads > plan->clients)
        plan->threads = plan->clients;
    if (plan->duration_ms == 0 && plan->operations == 0)
        plan->duration_ms = DEFAULT_DURATION_MS;
    if (!bounds_check(plan, session, problem) || !keys_check(plan, problem))
        return false;
    uint64_t entry = plan->key_size + plan->value_size + REQUEST_EXTRA;
    uint64_t rows = plan->workload->percent[BENCH_LIST] > 0 ? PLAN_LIST_MAX : 1;
    if (plan->batch * rows > session->limit_message / entry)
        return problem_set(
            problem, "--batch is too large: the broker's limit for a message, or its answer, is %llu bytes",
            (unsigned long long)session->limit_message);
    uint64_t bytes = session->limit_message < PLAN_LOAD_BYTES ? session->limit_message : PLAN_LOAD_BYTES;
    plan->load_batch = bytes / entry;
    if (plan->load_batch > session->limit_batch)
        plan->load_batch = session->limit_batch;
    if (plan->load_batch == 0)
        plan->load_batch = 1;
    return true;
}
