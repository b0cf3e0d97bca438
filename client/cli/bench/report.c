/* SPDX-License-Identifier: MPL-2.0 */
/* Names and order of the values in a report. */
#include "client/cli/bench/report.h"

#include <assert.h>

enum { ROWS_MAX = 40 + TALLY_STATUSES, ERROR_NAME_SIZE = 40 };

typedef struct report {
    column_t columns[ROWS_MAX];
    cell_t cells[ROWS_MAX];
    size_t count;
    char names[TALLY_STATUSES][ERROR_NAME_SIZE]; /* of errors */
} report_t;

/* Names are borrowed. */
static void add(report_t *report, const char *name, const char *heading, cell_t cell)
{
    assert(report->count < ROWS_MAX);
    report->columns[report->count] = (column_t){name, heading, FIT_LEFT};
    report->cells[report->count++] = cell;
}

static cell_t number(uint64_t value)
{
    return cell_of(CELL_NUMBER, value);
}

/* A number; 0 means that it was not given. */
static cell_t number_if(uint64_t value)
{
    return value == 0 ? cell_nil() : number(value);
}

static cell_t text_if(const char *text)
{
    return *text == '\0' ? cell_nil() : cell_word(text);
}

static uint64_t per_second(uint64_t count, int64_t took_ns)
{
    return took_ns > 0 ? (uint64_t)((double)count * 1e9 / (double)took_ns) : 0;
}

static void add_parameters(report_t *report, const bench_plan_t *plan)
{
    add(report, "workload", "workload", cell_word(plan->workload->name));
    add(report, "distribution", "distribution of keys", cell_word(distribution_name(plan->distribution)));
    add(report, "clients", "clients", number(plan->clients));
    add(report, "threads", "threads", number(plan->threads));
    add(report, "in_flight", "messages in flight, a client", number(plan->in_flight));
    add(report, "batch", "requests in a message", number(plan->batch));
    add(report, "stores", "stores", number(plan->shared ? 1 : plan->clients));
    add(report, "keys", "keys", number(plan->keys));
    add(report, "key_size", "key size (bytes)", number(plan->key_size));
    add(report, "value_size", "value size (bytes)", number(plan->value_size));
    add(report, "duration_ms", "duration asked for",
        plan->duration_ms == 0 ? cell_nil() : cell_of(CELL_DURATION, plan->duration_ms));
    add(report, "requests_asked", "requests asked for", number_if(plan->operations));
    add(report, "rate", "rate asked for", number_if(plan->rate));
}

static void add_results(report_t *report, const bench_plan_t *plan, const bench_result_t *result)
{
    static const struct {
        double part;
        const char *name;
        const char *heading;
    } quantiles[] = {
        {0.5, "p50_ns", "latency p50"},      {0.9, "p90_ns", "latency p90"}, {0.99, "p99_ns", "latency p99"},
        {0.999, "p999_ns", "latency p99.9"}, {1, "max_ns", "latency max"},
    };
    const bench_tally_t *tally = &result->tally;
    add(report, "load_per_second", "keys loaded a second", number(per_second(plan->keys, result->load_ns)));
    add(report, "elapsed_ms", "duration", cell_of(CELL_DURATION, (uint64_t)(result->elapsed_ns / 1000000)));
    add(report, "operations", "operations", number(tally->operations));
    add(report, "requests", "requests", number(tally->requests));
    add(report, "throughput", "operations a second",
        number(per_second(tally->operations, result->elapsed_ns)));
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
        add(report, quantiles[i].name, quantiles[i].heading,
            cell_of(CELL_NANOSECONDS, histogram_quantile(&result->latencies, quantiles[i].part)));
    add(report, "conflicts", "conflicts of if_revision", number(tally->conflicts));
    add(report, "wrong", "wrong answer", cell_of(CELL_BOOL, result->fault == FAULT_WRONG));
    add(report, "errors", "errors", number(tally->bad));
    for (size_t i = 0; i < TALLY_STATUSES; i++) {
        if (tally->errors[i] == 0)
            continue;
        (void)snprintf(report->names[i], sizeof report->names[i], "errors_%s",
                       kvzmq_status_text((kvzmq_status_t)i));
        add(report, report->names[i], report->names[i], number(tally->errors[i]));
    }
    add(report, "problem", "problem", text_if(result->problem));
    add(report, "removed", "keys removed", number(tally->removed));
}

static void add_machine(report_t *report, const machine_t *machine, const char *endpoint, const char *broker)
{
    add(report, "endpoint", "endpoint", cell_word(endpoint));
    add(report, "broker", "broker", cell_word(broker));
    add(report, "library", "libkvzmq", cell_word(kvzmq_version()));
    add(report, "libzmq", "libzmq", text_if(machine->libzmq));
    add(report, "cpu", "processor", text_if(machine->cpu));
    add(report, "cpus", "processors", number(machine->cpus));
    add(report, "kernel", "kernel", text_if(machine->kernel));
    add(report, "load_average", "load average before", text_if(machine->load));
}

void bench_report(output_t *output, const bench_plan_t *plan, const bench_result_t *result,
                  const machine_t *machine, const char *endpoint, const char *broker)
{
    report_t report = {.count = 0};
    add_parameters(&report, plan);
    add_results(&report, plan, result);
    add_machine(&report, machine, endpoint, broker);
    output->ops->record(output, report.columns, report.cells, report.count);
}
