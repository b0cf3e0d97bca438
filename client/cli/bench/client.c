/* SPDX-License-Identifier: MPL-2.0 */
/* Decides what a client sends, and when. */
#include "client/cli/bench/client.h"

#include <stdlib.h>

#include "client/cli/bench/check.h"
#include "client/cli/bench/client_state.h"
#include "common/clock.h"

bench_client_t *bench_client_new(const bench_plan_t *plan, uint64_t index, histogram_t *latencies,
                                 const kvzmq_options_t *connection)
{
    bench_client_t *client = calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    client->plan = plan;
    client->index = index;
    client->latencies = latencies;
    client->fd = -1;
    client->exact = !plan->shared || plan->clients == 1;
    client->share = bench_plan_share(plan, index);
    client->domain = plan->shared ? plan->keys : client->share;
    client->base = plan->shared ? index : 0;
    client->stride = plan->shared ? plan->clients : 1;
    client->add_base = plan->shared ? plan->keys + index : client->share;
    client->dice.state = dice_mix(plan->seed + index);
    zipf_init(&client->zipf, client->domain);
    scatter_init(&client->scatter, client->domain);
    (void)snprintf(client->name, sizeof client->name, "%s%llu", plan->prefix,
                   (unsigned long long)(plan->shared ? 0 : index));
    kvzmq_options_t options = *connection;
    options.name = client->name;
    options.batches =
        (unsigned)plan->in_flight > PLAN_LOAD_FLIGHT ? (unsigned)plan->in_flight : PLAN_LOAD_FLIGHT;
    client->conn = kvzmq_new(&options);
    client->value = malloc(plan->value_size);
    if (client->conn == NULL || client->value == NULL)
        bench_client_destroy(&client);
    return client;
}

void bench_client_destroy(bench_client_t **client)
{
    bench_client_t *gone = *client;
    *client = NULL;
    if (gone == NULL)
        return;
    kvzmq_destroy(&gone->conn);
    model_release(&gone->model);
    free(gone->messages);
    free(gone->requests);
    free(gone->value);
    free(gone);
}

kvzmq_t *bench_client_connection(bench_client_t *client)
{
    return client->conn;
}

/* ---- Phases ----------------------------------------------------------------------------------- */

/* Replaces the messages by COUNT free ones of BATCH requests. */
static bool messages_make(bench_client_t *client, size_t count, size_t batch)
{
    free(client->messages);
    free(client->requests);
    client->free = NULL;
    client->messages = calloc(count, sizeof *client->messages);
    client->requests = calloc(count * batch, sizeof *client->requests);
    if (client->messages == NULL || client->requests == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        client->messages[i] = (message_t){.next = client->free, .requests = client->requests + i * batch};
        client->free = &client->messages[i];
    }
    client->batch = batch;
    return true;
}

bool bench_client_begin(bench_client_t *client, bench_phase_t phase, int64_t start_ns)
{
    const bench_plan_t *plan = client->plan;
    bool run = phase == PHASE_RUN;
    client->phase = phase;
    client->ended = false;
    client->look = true;
    client->turn = 0;
    client->start_ns = start_ns;
    client->end_ns = INT64_MAX;
    client->quota = UINT64_MAX;
    client->period_ns = 0;
    client->fd = kvzmq_fd(client->conn);
    if (run && plan->duration_ms > 0)
        client->end_ns = start_ns + (int64_t)plan->duration_ms * 1000000;
    if (run && plan->operations > 0)
        client->quota = plan->operations / plan->clients + (client->index < plan->operations % plan->clients);
    if (run && plan->rate > 0)
        client->period_ns = 1e9 * (double)plan->batch / (double)plan->rate;
    return messages_make(client, run ? plan->in_flight : PLAN_LOAD_FLIGHT,
                         run ? plan->batch : plan->load_batch);
}

/* ---- Requests --------------------------------------------------------------------------------- */

/* Draws a key that was loaded, or that this client has added. */
static uint64_t key_draw(bench_client_t *client)
{
    uint64_t known = client->domain + client->added;
    uint64_t drawn = 0;
    switch (client->plan->distribution) {
    case DISTRIBUTION_ZIPFIAN:
        return scatter_of(&client->scatter, zipf_next(&client->zipf, &client->dice));
    case DISTRIBUTION_LATEST:
        if (client->zipf.count != known)
            zipf_init(&client->zipf, known);
        drawn = known - 1 - zipf_next(&client->zipf, &client->dice);
        break;
    default:
        drawn = dice_below(&client->dice, known);
        break;
    }
    return drawn < client->domain ? drawn : client->add_base + (drawn - client->domain) * client->stride;
}

static bool load_next(bench_client_t *client, bench_request_t *request)
{
    if (client->loaded == client->share)
        return false;
    request->kind = REQUEST_PUT;
    request->number = client->base + client->loaded++ * client->stride;
    return true;
}

static bool clean_next(bench_client_t *client, bench_request_t *request)
{
    uint64_t at = client->cleaned;
    if (at == client->loaded + client->added)
        return false;
    client->cleaned++;
    request->kind = REQUEST_DEL;
    request->number = at < client->loaded ? client->base + at * client->stride
                                          : client->add_base + (at - client->loaded) * client->stride;
    return true;
}

static bool run_next(bench_client_t *client, bench_request_t *request)
{
    static const request_kind_t kinds[BENCH_OPS] = {
        [BENCH_GET] = REQUEST_GET,   [BENCH_PUT] = REQUEST_PUT,     [BENCH_INSERT] = REQUEST_PUT,
        [BENCH_LIST] = REQUEST_LIST, [BENCH_MODIFY] = REQUEST_READ,
    };
    if (client->quota == 0)
        return false;
    client->quota--;
    bench_op_t op = workload_next(client->plan->workload, &client->dice);
    request->kind = kinds[op];
    if (op == BENCH_INSERT)
        request->number = client->add_base + client->added++ * client->stride;
    else
        request->number = key_draw(client);
    if (op == BENCH_LIST)
        request->limit = 1 + (uint32_t)dice_below(&client->dice, PLAN_LIST_MAX);
    return true;
}

static bool request_next(bench_client_t *client, bench_request_t *request)
{
    switch (client->phase) {
    case PHASE_LOAD:
        return load_next(client, request);
    case PHASE_RUN:
        return run_next(client, request);
    case PHASE_CLEAN:
        return clean_next(client, request);
    }
    return false;
}

/* Adds a put of a new value, which no client has put before. */
static kvzmq_status_t add_put(bench_client_t *client, kvzmq_batch_t *batch, bench_request_t *request,
                              const kvzmq_put_options_t *options)
{
    const bench_plan_t *plan = client->plan;
    if (client->exact && !model_reserve(&client->model, request->number))
        return KVZMQ_NO_MEMORY;
    request->version = client->versions++ * plan->clients + client->index;
    entry_value_write(plan->seed, request->number, request->version, plan->value_size, client->value);
    return kvzmq_batch_put(batch, NULL, client_key(client, request->number),
                           kvzmq_text_of(client->value, plan->value_size), options, request);
}

static kvzmq_status_t add_request(bench_client_t *client, kvzmq_batch_t *batch, bench_request_t *request)
{
    kvzmq_put_options_t swap = {.size = sizeof swap, .conditional = true, .if_revision = request->revision};
    kvzmq_range_t range = {.size = sizeof range, .limit = request->limit};
    switch (request->kind) {
    case REQUEST_PUT:
        return add_put(client, batch, request, NULL);
    case REQUEST_SWAP:
        return add_put(client, batch, request, &swap);
    case REQUEST_READ:
        return kvzmq_batch_entry(batch, NULL, client_key(client, request->number), request);
    case REQUEST_LIST:
        range.after = client_key(client, request->number);
        return kvzmq_batch_list(batch, NULL, &range, request);
    case REQUEST_DEL:
        return kvzmq_batch_del(batch, NULL, client_key(client, request->number), NULL, request);
    case REQUEST_GET:
        break;
    }
    return kvzmq_batch_get(batch, NULL, client_key(client, request->number), request);
}

/* Sends the requests of MESSAGE; with SWAPS only the second requests of its read-modify-writes. False: it
 * could not be sent. */
static bool message_send(bench_client_t *client, message_t *message, bool swaps)
{
    kvzmq_batch_t *batch = kvzmq_batch_new(client->conn);
    kvzmq_status_t status = batch == NULL ? KVZMQ_NO_MEMORY : KVZMQ_OK;
    const char *text = "";
    for (size_t i = 0; status == KVZMQ_OK && i < message->count; i++) {
        bench_request_t *request = &message->requests[i];
        if (!swaps || request->kind == REQUEST_SWAP)
            status = add_request(client, batch, request);
    }
    if (status == KVZMQ_OK) {
        message->sent = message->left = kvzmq_batch_count(batch);
        status = kvzmq_batch_send(&batch);
        text = kvzmq_error(client->conn);
    }
    client->look = true;
    if (status == KVZMQ_OK)
        return true;
    kvzmq_batch_destroy(&batch);
    client_lose(client, status, text);
    return false;
}

static void message_free(bench_client_t *client, message_t *message)
{
    message->next = client->free;
    client->free = message;
    client->busy--;
}

int64_t bench_client_due(const bench_client_t *client)
{
    if (client->ended || client->free == NULL)
        return INT64_MAX;
    double turn = (double)client->turn * (double)client->plan->clients + (double)client->index;
    return client->start_ns + (int64_t)(client->period_ns * turn);
}

/* Sends all messages that are due. With a rate, sends every message that was due before the end, however
 * late: leaving out late ones would make the latency look better than it is. */
static void client_fill(bench_client_t *client, int64_t now_ns)
{
    while (!client->ended && client->free != NULL) {
        int64_t due_ns = bench_client_due(client);
        if ((client->period_ns > 0 ? due_ns : now_ns) >= client->end_ns) {
            client->ended = true;
            break;
        }
        if (due_ns > now_ns)
            break;
        message_t *message = client->free;
        message->count = 0;
        message->swaps = 0;
        while (message->count < client->batch && request_next(client, &message->requests[message->count]))
            message->requests[message->count++].message = message;
        if (message->count == 0) {
            client->ended = true;
            break;
        }
        client->free = message->next;
        client->busy++;
        client->turn++;
        message->intended_ns = client->period_ns > 0 ? due_ns : clock_monotonic_ns();
        if (!message_send(client, message, false))
            message_free(client, message);
    }
}

/* ---- Answers ---------------------------------------------------------------------------------- */

static void take_answer(bench_client_t *client, const kvzmq_answer_t *answer)
{
    bench_request_t *request = answer->tag;
    message_t *message = request->message;
    if (message->left == message->sent)
        client->now_ns = clock_monotonic_ns();
    client->tally.requests++;
    if (check_answer(client, request, answer)) {
        message->swaps++;
    } else {
        client->tally.operations++;
        if (client->phase == PHASE_RUN)
            histogram_record(client->latencies, (uint64_t)(client->now_ns - message->intended_ns));
    }
    if (--message->left > 0)
        return;
    bool more = message->swaps > 0 && client->fault == FAULT_NONE;
    message->swaps = 0;
    if (!more || !message_send(client, message, true))
        message_free(client, message);
}

/* Takes the answers that have arrived. */
static void client_drain(bench_client_t *client)
{
    client->look = false;
    while (kvzmq_in_flight(client->conn) > 0) {
        kvzmq_answer_t answer;
        kvzmq_status_t status = kvzmq_poll(client->conn, 0, &answer);
        if (status == KVZMQ_TIMEOUT)
            return;
        if (status != KVZMQ_OK) {
            client_lose(client, status, kvzmq_error(client->conn));
            return;
        }
        take_answer(client, &answer);
    }
}

bool bench_client_step(bench_client_t *client, int64_t now_ns, bool stop)
{
    client->ended = client->ended || stop;
    if (client->look)
        client_drain(client);
    client_fill(client, now_ns);
    /* Sending may have consumed an edge of the descriptor. */
    if (client->look)
        client_drain(client);
    return bench_client_due(client) <= now_ns;
}

bool bench_client_is_idle(const bench_client_t *client)
{
    return client->ended && client->busy == 0;
}

int bench_client_fd(const bench_client_t *client)
{
    return client->fd;
}

void bench_client_look(bench_client_t *client)
{
    client->fd = kvzmq_fd(client->conn);
    client->look = true;
}

/* ---- Results ---------------------------------------------------------------------------------- */

bench_fault_t bench_client_fault(const bench_client_t *client, kvzmq_status_t *status, const char **text)
{
    *status = client->fault_status;
    *text = client->problem.text;
    return client->fault;
}

const char *bench_client_error(const bench_client_t *client)
{
    return client->error.text;
}

const bench_tally_t *bench_client_tally(const bench_client_t *client)
{
    return &client->tally;
}

uint64_t bench_client_left(const bench_client_t *client)
{
    return client->loaded + client->added - client->tally.gone;
}
