/* SPDX-License-Identifier: MPL-2.0 */
/* The command that measures the broker. */
#include "client/cli/command_bench.h"

#include <stdlib.h>
#include <unistd.h>

#include "client/cli/bench/report.h"
#include "client/cli/interrupt.h"
#include "common/utf8.h"

/* Sets the numbers of PLAN that were given. */
static bool take_numbers(const call_t *call, bench_plan_t *plan, problem_t *problem)
{
    const struct {
        option_id_t option;
        uint64_t *number;
    } rows[] = {
        {OPT_BENCH_CLIENTS, &plan->clients},
        {OPT_BENCH_THREADS, &plan->threads},
        {OPT_BENCH_IN_FLIGHT, &plan->in_flight},
        {OPT_BENCH_BATCH, &plan->batch},
        {OPT_BENCH_KEYS, &plan->keys},
        {OPT_BENCH_KEY_SIZE, &plan->key_size},
        {OPT_BENCH_VALUE_SIZE, &plan->value_size},
        {OPT_BENCH_DURATION, &plan->duration_ms},
        {OPT_BENCH_REQUESTS, &plan->operations},
        {OPT_BENCH_RATE, &plan->rate},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if ((call->given & OPT_BIT(rows[i].option)) == 0)
            continue;
        *rows[i].number = call->numbers[rows[i].option];
        if (*rows[i].number == 0)
            return problem_set(problem, "%s must be above 0", option_name(rows[i].option));
    }
    return true;
}

/* Makes the plan from the options of CALL. */
static bool take_plan(const call_t *call, bench_plan_t *plan, problem_t *problem)
{
    char quoted[PROBLEM_WORD_MAX];
    bench_plan_init(plan);
    plan->workload = workload_find(call->arguments[0]);
    if (plan->workload == NULL)
        return problem_set(problem, "there is no workload %s; help bench shows all",
                           utf8_quote(call->arguments[0], quoted, sizeof quoted));
    plan->distribution = plan->workload->distribution;
    plan->shared = (call->given & OPT_BIT(OPT_BENCH_SHARED)) != 0;
    if ((call->given & OPT_BIT(OPT_BENCH_DISTRIBUTION)) != 0) {
        bytes_t name = call->texts[OPT_BENCH_DISTRIBUTION];
        plan->distribution = distribution_find(name);
        if (plan->distribution == DISTRIBUTIONS)
            return problem_set(problem, "--distribution takes uniform, zipfian or latest, not \"%s\"",
                               utf8_quote(name, quoted, sizeof quoted));
    }
    if ((call->given & OPT_BIT(OPT_BENCH_DURATION)) != 0 && (call->given & OPT_BIT(OPT_BENCH_REQUESTS)) != 0)
        return problem_set(problem, "--duration and --requests cannot be given together");
    return take_numbers(call, plan, problem);
}

/* Shows what went wrong, if anything. */
static outcome_t tell_end(cli_t *cli, const bench_result_t *result)
{
    char text[PROBLEM_TEXT_MAX + 64];
    if (result->fault == FAULT_LOST)
        return cli_fail_with(cli, result->status, result->problem);
    if (result->fault == FAULT_WRONG) {
        cli_remark(cli, "bench", result->problem);
        return OUTCOME_NO;
    }
    if (result->interrupted)
        return OUTCOME_INTERRUPTED;
    if (result->tally.bad == 0)
        return OUTCOME_OK;
    (void)snprintf(text, sizeof text, "%llu answers were errors; the first: %s",
                   (unsigned long long)result->tally.bad, result->problem);
    cli_remark(cli, "bench", text);
    return OUTCOME_NO;
}

outcome_t command_bench(cli_t *cli, const call_t *call)
{
    bench_plan_t plan;
    problem_t problem = {""};
    machine_t machine;
    kvzmq_options_t connection;
    if (!take_plan(call, &plan, &problem))
        return cli_refuse(cli, "bench", problem.text);
    kvzmq_status_t status = kvzmq_hello(cli->connection);
    if (status != KVZMQ_OK)
        return cli_fail(cli, status);
    const kvzmq_session_t *session = kvzmq_session(cli->connection);
    if (!bench_plan_check(&plan, session, &problem))
        return cli_refuse(cli, "bench", problem.text);
    if (cli_is_alone(cli)) {
        /* This session is not needed any more, and could time out during the run. */
        (void)kvzmq_bye(cli->connection);
        cli->said_bye = true;
    }
    bench_result_t *result = malloc(sizeof *result); /* too large for the stack */
    if (result == NULL)
        return cli_break(cli, "out of memory");
    cli_connection_options(cli, &connection);
    connection.secret = kvzmq_text("");
    connection.user = NULL;
    connection.notice = NULL;
    machine_read(&machine);
    fflush(cli->output.stream);
    interrupt_catch_ends();
    bench_run(&plan, &connection, isatty(STDERR_FILENO) == 1, result);
    interrupt_release_ends();
    if (result->fault != FAULT_LOST && !result->interrupted)
        bench_report(&cli->output, &plan, result, &machine, cli->options->endpoint, session->broker);
    outcome_t outcome = tell_end(cli, result);
    free(result);
    return outcome;
}
