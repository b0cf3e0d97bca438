/* SPDX-License-Identifier: MPL-2.0 */
/* Owns how a command goes to the log, and how a request continues with its outcome. */
#include "broker/core/propose.h"

#include "broker/core/session.h"

/* Appends COMMAND to the log, with its client named by id and life. */
static bool leave_for_log(hub_t *hub, struct session *session, const command_t *command, bool heard)
{
    command_t named = *command;
    if (command->client != NULL) {
        named.client_id = client_id(command->client);
        named.client_life = command->client->life;
    }
    return hub->command_log->append(hub->command_log->context, session, &named, heard);
}

bool propose_later(hub_t *hub, struct session *session, const command_t *command, outcome_t *outcome)
{
    if (leave_for_log(hub, session, command, true))
        return false;
    outcome->kind = OUTCOME_MEMORY;
    return true;
}

bool propose_barrier(struct session *session)
{
    const command_log_t *log = session->hub->command_log;
    batch_t *batch = &session->batch;
    if (log == NULL)
        return true;
    if (batch->barrier == BARRIER_NONE && batch->pending.count == 0)
        batch->barrier = log->barrier(log->context, session) ? BARRIER_PASSED : BARRIER_ASKED;
    return batch->barrier == BARRIER_PASSED;
}

void propose_pass(struct session *session)
{
    session->batch.barrier = BARRIER_PASSED;
}

void propose_unheard(hub_t *hub, struct session *session, const command_t *command)
{
    outcome_t outcome;
    bool proposed = hub->command_log != NULL ? leave_for_log(hub, session, command, false)
                                             : propose(hub, session, command, &outcome);
    (void)proposed;
}

handling_t request_propose(request_t *request, const command_t *command, finish_fn *finish)
{
    wait_result_t result = {.what = WAIT_LOG, .command = command};
    if (!propose(request->hub, request->session, command, &result.outcome))
        return request_wait(request, WAIT_LOG, 0);
    return finish(request, &result);
}
