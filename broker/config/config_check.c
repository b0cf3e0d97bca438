/* SPDX-License-Identifier: MPL-2.0 */
/* Conditions between keys, no matter whether they were set by a file, --set or a default. */
#include <inttypes.h>

#include "broker/config/config.h"
#include "broker/config/config_table.h"

enum {
    MESSAGE_OVERHEAD = 1024, /* most bytes of a request without its key and value */
};

/* Returns the Ith of all endpoints. Those for requests come first. */
static const char *endpoint_of(const settings_t *settings, unsigned i)
{
    return i < settings->request_count ? settings->requests[i]
                                       : settings->events[i - settings->request_count];
}

static bool endpoints_check(const settings_t *settings, const config_place_t *place)
{
    unsigned count = settings->request_count + settings->event_count;
    for (unsigned i = 0; i < count; i++) {
        const char *endpoint = endpoint_of(settings, i);
        if (endpoint[strlen(endpoint) - 1] == '*') /* each * becomes another port */
            continue;
        for (unsigned j = 0; j < i; j++)
            if (strcmp(endpoint, endpoint_of(settings, j)) == 0)
                return config_fault(
                    place, "%s is given twice under listen; give each socket endpoints of its own", endpoint);
    }
    return true;
}

/* Whether a peer could connect to ENDPOINT: it has no wildcard, and a path is absolute. */
static bool endpoint_definite(const char *endpoint)
{
    static const char relative[] = "ipc://"; /* a path is relative if neither / nor @ follows */
    bool nowhere = strncmp(endpoint, relative, sizeof relative - 1) == 0 &&
                   strchr("/@", endpoint[sizeof relative - 1]) == NULL;
    return !nowhere && endpoint[strlen(endpoint) - 1] != '*' && strncmp(endpoint, "tcp://*:", 8) != 0 &&
           strncmp(endpoint, "tcp://0.0.0.0:", 14) != 0 && strncmp(endpoint, "tcp://[::]:", 11) != 0;
}

static bool advertised_check(const settings_t *settings, const config_place_t *place)
{
    for (unsigned i = 0; i < settings->advertised_count; i++)
        if (!endpoint_definite(settings->advertised[i]))
            return config_fault(
                place,
                "nobody can connect to %s of listen/advertise; write a host and a port, or an absolute path",
                settings->advertised[i]);
    return true;
}

bool config_check(const settings_t *settings, char *problem, size_t problem_size)
{
    config_place_t place = {.name = "configuration", .problem = problem, .size = problem_size};
    const limits_t *limits = &settings->limits;
    uint64_t entry = limits->value + limits->key + MESSAGE_OVERHEAD;
    uint64_t batch = (limits->batch + 1) * LIMIT_ERROR_BYTES;
    if (settings->first_id > settings->last_id)
        return config_fault(&place, "ids/first (%" PRIu64 ") is above ids/last (%" PRIu64 "); exchange them",
                            settings->first_id, settings->last_id);
    if (entry > limits->message)
        return config_fault(&place,
                            "limits/message (%" PRIu64 ") is too small for a value of limits/value (%" PRIu64
                            ") with its key; raise it to at least %" PRIu64 ", or lower limits/value",
                            limits->message, limits->value, entry);
    if (batch > limits->message)
        return config_fault(&place,
                            "limits/message (%" PRIu64
                            ") is too small for an error for each of limits/batch (%" PRIu64
                            ") requests; raise it to at least %" PRIu64 ", or lower limits/batch",
                            limits->message, limits->batch, batch);
    if (limits->outstanding < limits->message)
        return config_fault(&place,
                            "limits/outstanding (%" PRIu64 ") is below limits/message (%" PRIu64
                            "), so that no long answer could be sent; raise it to at least that",
                            limits->outstanding, limits->message);
    return endpoints_check(settings, &place) && advertised_check(settings, &place);
}
