/* SPDX-License-Identifier: MPL-2.0 */
/* Decides whether an answer is correct. If the client is the only writer of its store, the model has the
 * exact answer. In a shared store, a value must be one that some client made for the key, and a key that was
 * put must exist. */
#include "client/cli/bench/check.h"

#include "client/slice.h"

static const char *const request_names[] = {
    [REQUEST_GET] = "get",
    [REQUEST_PUT] = "put",
    [REQUEST_LIST] = "list",
    [REQUEST_READ] = "entry",
    [REQUEST_SWAP] = "put with if_revision",
    [REQUEST_DEL] = "del",
};

static void wrong(bench_client_t *client, const bench_request_t *request, const char *what)
{
    kvzmq_slice_t key = client_key(client, request->number);
    client->ended = true;
    if (client->fault == FAULT_NONE)
        client->fault = FAULT_WRONG;
    (void)problem_set(&client->problem, "wrong answer to %s of client %s, key %.*s: %s",
                      request_names[request->kind], client->name, (int)(key.size < 64 ? key.size : 64),
                      key.data, what);
}

void client_lose(bench_client_t *client, kvzmq_status_t status, const char *text)
{
    client->ended = true;
    if (client->fault != FAULT_NONE)
        return;
    client->fault = FAULT_LOST;
    client->fault_status = status;
    (void)problem_set(&client->problem, "%s", *text != '\0' ? text : kvzmq_status_meaning(status));
}

/* ---- Errors ----------------------------------------------------------------------------------- */

/* Whether STATUS comes from the connection, not from the broker. */
static bool is_lost(kvzmq_status_t status)
{
    return status == KVZMQ_TIMEOUT || status == KVZMQ_UNREACHABLE || status == KVZMQ_OUTCOME_UNKNOWN ||
           status == KVZMQ_INTERRUPTED || status == KVZMQ_NO_MEMORY;
}

static void take_error(bench_client_t *client, const bench_request_t *request, kvzmq_status_t status)
{
    bool writes =
        request->kind == REQUEST_PUT || request->kind == REQUEST_SWAP || request->kind == REQUEST_DEL;
    if (client->exact && writes && is_lost(status))
        model_set(&client->model, request->number, MODEL_UNKNOWN);
    client->tally.bad++;
    client->tally.errors[status]++;
    if (is_lost(status)) {
        client_lose(client, status, kvzmq_error(client->conn));
    } else if (status == KVZMQ_PROTOCOL) {
        wrong(client, request, kvzmq_error(client->conn));
    } else {
        (void)problem_set(&client->error, "%s of client %s: %s: %s", request_names[request->kind],
                          client->name, kvzmq_status_text(status), kvzmq_error(client->conn));
    }
}

/* ---- Reads ------------------------------------------------------------------------------------ */

/* Whether VALUE is a correct value of key NUMBER. If not, *WHAT says why. */
static bool value_is_right(bench_client_t *client, uint64_t number, kvzmq_slice_t value, const char **what)
{
    const bench_plan_t *plan = client->plan;
    uint64_t version;
    if (value.binary || !entry_value_check(plan->seed, number, bytes_of(value.data, value.size),
                                           plan->value_size, &version)) {
        *what = "the value is not one that was put for this key";
        return false;
    }
    uint32_t expected = model_get(&client->model, number);
    if (client->exact && expected != MODEL_UNKNOWN && expected != model_version(version)) {
        *what = "the value is not the one that was put last";
        return false;
    }
    return true;
}

static void check_absent(bench_client_t *client, const bench_request_t *request)
{
    uint32_t expected = model_get(&client->model, request->number);
    if (!client->exact || (expected != MODEL_UNKNOWN && expected != MODEL_ABSENT))
        wrong(client, request, "no such key, although it was put");
}

/* True: the entry exists and is correct. */
static bool check_read(bench_client_t *client, const bench_request_t *request, const kvzmq_answer_t *answer)
{
    const char *what = NULL;
    if (answer->status == KVZMQ_ABSENT)
        check_absent(client, request);
    else if (answer->status != KVZMQ_OK)
        take_error(client, request, answer->status);
    else if (!value_is_right(client, request->number, answer->value, &what))
        wrong(client, request, what);
    else
        return true;
    return false;
}

/* Checks the read of a read-modify-write. True: send its write. */
static bool check_modify(bench_client_t *client, bench_request_t *request, const kvzmq_answer_t *answer)
{
    if (!check_read(client, request, answer))
        return false;
    if (answer->revision == 0 || (client->exact && answer->revision > client->last_revision)) {
        wrong(client, request, "the revision is not that of a put");
        return false;
    }
    request->kind = REQUEST_SWAP;
    request->revision = answer->revision;
    request->read = model_get(&client->model, request->number);
    return true;
}

/* ---- Lists ------------------------------------------------------------------------------------ */

/* The first key from NUMBER on that may be next in a list. In a shared store, other clients may have added
 * any key. */
static uint64_t list_next(const bench_client_t *client, uint64_t number)
{
    return client->exact ? model_next(&client->model, number) : number;
}

static bool list_must_show(const bench_client_t *client, uint64_t number)
{
    return client->exact ? number < client->model.count && model_get(&client->model, number) != MODEL_UNKNOWN
                         : number < client->domain;
}

/* What is wrong with PAGE; NULL = nothing. */
static const char *page_problem(bench_client_t *client, const bench_request_t *request, kvzmq_page_t *page)
{
    const char *what = NULL;
    uint64_t next = list_next(client, request->number + 1);
    kvzmq_row_t row;
    while (kvzmq_page_next(page, &row)) {
        uint64_t number;
        bytes_t key = slice_bytes(row.key);
        if (!entry_key_read(key, client->plan->key_size, &number) || number < next)
            return "it shows a key that was not put";
        if (number > next && list_must_show(client, next))
            return "it leaves out a key that was put";
        if (!value_is_right(client, number, row.value, &what))
            return what;
        next = list_next(client, number + 1);
    }
    if (!kvzmq_page_more(page) && kvzmq_page_count(page) < request->limit && list_must_show(client, next))
        return "it ends before the last key that was put";
    return NULL;
}

static void check_list(bench_client_t *client, const bench_request_t *request, const kvzmq_answer_t *answer)
{
    if (answer->status != KVZMQ_OK) {
        take_error(client, request, answer->status);
        return;
    }
    kvzmq_range_t range = {
        .size = sizeof range, .after = client_key(client, request->number), .limit = request->limit};
    kvzmq_page_t *page = NULL;
    kvzmq_status_t status = kvzmq_answer_page(answer, &range, &page);
    const char *what = NULL;
    if (status == KVZMQ_NO_MEMORY)
        client_lose(client, status, "");
    else if (status != KVZMQ_OK)
        what = "it is not a page of this list";
    else if (kvzmq_page_count(page) > request->limit)
        what = "it shows more entries than were asked for";
    else
        what = page_problem(client, request, page);
    kvzmq_page_destroy(&page);
    if (what != NULL)
        wrong(client, request, what);
}

/* ---- Writes ----------------------------------------------------------------------------------- */

/* Whether the revision of a change is greater than all former ones of this session. */
static bool revision_grows(bench_client_t *client, const bench_request_t *request,
                           const kvzmq_answer_t *answer)
{
    bool grows = answer->revision > client->last_revision;
    if (!grows)
        wrong(client, request, "the revision is not above that of the change before");
    client->last_revision = answer->revision;
    return grows;
}

static void check_put(bench_client_t *client, const bench_request_t *request, const kvzmq_answer_t *answer)
{
    if (answer->status != KVZMQ_OK)
        take_error(client, request, answer->status);
    else if (revision_grows(client, request, answer) && client->exact)
        model_set(&client->model, request->number, model_version(request->version));
}

/* The put must succeed if, and only if, the entry has not changed since the read. */
static void check_swap(bench_client_t *client, const bench_request_t *request, const kvzmq_answer_t *answer)
{
    bool conflict = answer->status == KVZMQ_FAILED_PRECONDITION;
    uint32_t held = model_get(&client->model, request->number);
    bool known = client->exact && held != MODEL_UNKNOWN && request->read != MODEL_UNKNOWN;
    if (conflict)
        client->tally.conflicts++;
    if (conflict && known && held == request->read)
        wrong(client, request, "it was refused, although the entry still had that revision");
    else if (answer->status == KVZMQ_OK && known && held != request->read)
        wrong(client, request, "it was carried out, although the entry had another revision");
    else if (!conflict)
        check_put(client, request, answer);
}

static void check_del(bench_client_t *client, const bench_request_t *request, const kvzmq_answer_t *answer)
{
    if (answer->status == KVZMQ_ABSENT && client->exact)
        check_absent(client, request);
    else if (answer->status == KVZMQ_ABSENT && client->tally.bad == 0)
        wrong(client, request, "no such key, although it was put");
    else if (answer->status != KVZMQ_OK && answer->status != KVZMQ_ABSENT)
        take_error(client, request, answer->status);
    else if (answer->status == KVZMQ_OK && revision_grows(client, request, answer))
        client->tally.removed++;
    if (answer->status != KVZMQ_OK && answer->status != KVZMQ_ABSENT)
        return;
    client->tally.gone++;
    if (client->exact && request->number < client->model.count)
        model_set(&client->model, request->number, MODEL_ABSENT);
}

bool check_answer(bench_client_t *client, bench_request_t *request, const kvzmq_answer_t *answer)
{
    switch (request->kind) {
    case REQUEST_GET:
        (void)check_read(client, request, answer);
        return false;
    case REQUEST_READ:
        return check_modify(client, request, answer);
    case REQUEST_PUT:
        check_put(client, request, answer);
        return false;
    case REQUEST_LIST:
        check_list(client, request, answer);
        return false;
    case REQUEST_SWAP:
        check_swap(client, request, answer);
        return false;
    case REQUEST_DEL:
        check_del(client, request, answer);
        return false;
    }
    return false;
}
