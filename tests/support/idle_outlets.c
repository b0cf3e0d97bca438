/* SPDX-License-Identifier: MPL-2.0 */
/* Outlets that do nothing. */
#include "tests/support/idle_outlets.h"

#include <stdio.h>

static status_t send_nowhere(void *context, struct connection *connection, bytes_t identity, bytes_t envelope,
                             buffer_t *answer)
{
    (void)context;
    (void)connection;
    (void)identity;
    (void)envelope;
    (void)answer;
    return STATUS_OK;
}

static bool never_congested(void *context, struct connection *connection)
{
    (void)context;
    (void)connection;
    return false;
}

static void release_nothing(void *context, struct connection *connection, bool cut)
{
    (void)context;
    (void)connection;
    (void)cut;
}

static size_t no_audience(void *context)
{
    (void)context;
    return 0;
}

static void publish_nothing(void *context, bytes_t topic, buffer_t *payload)
{
    (void)context;
    (void)topic;
    (void)payload;
}

static void cut_nobody(void *context, const tickets_t *tickets, bool strict)
{
    (void)context;
    (void)tickets;
    (void)strict;
}

static void sweep_nobody(void *context, const tickets_t *tickets)
{
    (void)context;
    (void)tickets;
}

static void some_endpoint(void *context, struct connection *connection, char *text, size_t text_size)
{
    (void)context;
    (void)connection;
    snprintf(text, text_size, "tcp://127.0.0.1:5001");
}

static bool verify_nothing(void *context, uint64_t job, const char *hash, bytes_t password)
{
    (void)context;
    (void)job;
    (void)hash;
    (void)password;
    return false;
}

static void cancel_nothing(void *context, uint64_t job)
{
    (void)context;
    (void)job;
}

outlets_t idle_outlets(void *context)
{
    return (outlets_t){
        .transport = {context, NULL, send_nowhere, never_congested, release_nothing},
        .publisher = {context, no_audience, publish_nothing, cut_nobody, sweep_nobody, some_endpoint},
        .verification = {context, verify_nothing, cancel_nothing},
    };
}
