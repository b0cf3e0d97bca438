/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/endpoints.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "broker/log.h"

enum { ENDPOINT_SIZE = 1024 }; /* bytes of an endpoint's text as libzmq gives it back */

bool socket_options_set(void *socket, const socket_option_t *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (zmq_setsockopt(socket, options[i].name, &options[i].value, sizeof options[i].value) != 0)
            return false;
    }
    return true;
}

/* What to do about an endpoint that cannot be bound. */
static const char *bind_advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "in use: stop the program that listens there, or choose another endpoint";
    case EADDRNOTAVAIL:
    case ENODEV:
        return "this machine has no such address: choose one that it has";
    case EACCES:
        return "permission denied: choose a port above 1023, or a folder that may be written";
    default:
        return zmq_strerror(error);
    }
}

bool endpoints_bind(void *socket, char *const *endpoints, unsigned count, const char *what, char *problem,
                    size_t problem_size)
{
    for (unsigned i = 0; i < count; i++) {
        /* Only where an IPv6 address stands in brackets: with it, libzmq shows IPv4 ones as ::ffff:127.0.0.1.
         */
        const socket_option_t ipv6 = {ZMQ_IPV6, strchr(endpoints[i], '[') != NULL};
        if (!socket_options_set(socket, &ipv6, 1) || zmq_bind(socket, endpoints[i]) != 0) {
            snprintf(problem, problem_size, "listen/%s: %s: %s", what, endpoints[i], bind_advice(errno));
            return false;
        }
        char real[ENDPOINT_SIZE] = "";
        size_t size = sizeof real;
        if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, real, &size) != 0)
            snprintf(real, sizeof real, "%s", endpoints[i]);
        log_info("listening for %s on %s", what, real);
    }
    return true;
}
