/* SPDX-License-Identifier: MPL-2.0 */
/* Owns how a socket is set up and what to do where that fails. Knows nothing of what is sent on it. */
#include "broker/endpoints.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "broker/log.h"

bool socket_options_set(void *socket, const socket_option_t *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (zmq_setsockopt(socket, options[i].name, &options[i].value, sizeof options[i].value) != 0)
            return false;
    }
    return true;
}

const char *endpoint_advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "in use: stop the program that listens there, or choose another endpoint";
    case EADDRNOTAVAIL:
    case ENODEV:
        return "this machine has no such address: choose one that it has";
    case EACCES:
        return "permission denied: choose a port above 1023, or a folder that may be written";
    case ENOENT:
        return "no such folder: make it, or choose another path";
    default:
        return zmq_strerror(error);
    }
}

bool endpoints_bind(void *socket, char *const *endpoints, unsigned count, const char *what,
                    char (*real)[ENDPOINT_SIZE], char *problem, size_t problem_size)
{
    for (unsigned i = 0; i < count; i++) {
        /* Only where an IPv6 address stands in brackets: with it, libzmq shows IPv4 ones as ::ffff:127.0.0.1.
         */
        const socket_option_t ipv6 = {ZMQ_IPV6, strchr(endpoints[i], '[') != NULL};
        if (!socket_options_set(socket, &ipv6, 1) || zmq_bind(socket, endpoints[i]) != 0) {
            snprintf(problem, problem_size, "listen/%s: %s: %s", what, endpoints[i], endpoint_advice(errno));
            return false;
        }
        size_t size = ENDPOINT_SIZE;
        if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, real[i], &size) != 0)
            snprintf(real[i], ENDPOINT_SIZE, "%s", endpoints[i]);
        log_info("listening for %s on %s", what, real[i]);
    }
    return true;
}

bool endpoints_contain(char (*real)[ENDPOINT_SIZE], unsigned count, const struct sockaddr_storage *address)
{
    char wanted[ENDPOINT_SIZE] = "";
    if (address->ss_family == AF_UNIX) {
        /* A name in the abstract namespace (unix(7)) begins with a zero byte, for which libzmq writes an @.
         */
        const char *path = ((const struct sockaddr_un *)address)->sun_path;
        bool abstract = path[0] == '\0';
        snprintf(wanted, sizeof wanted, "ipc://%s%s", abstract ? "@" : "", path + abstract);
    }
    if (address->ss_family == AF_INET)
        snprintf(wanted, sizeof wanted, ":%u", ntohs(((const struct sockaddr_in *)address)->sin_port));
    if (address->ss_family == AF_INET6)
        snprintf(wanted, sizeof wanted, ":%u", ntohs(((const struct sockaddr_in6 *)address)->sin6_port));
    for (unsigned i = 0; i < count; i++) {
        const char *endpoint = real[i];
        const char *port = strrchr(endpoint, ':');
        if (strcmp(address->ss_family == AF_UNIX || !port ? endpoint : port, wanted) == 0)
            return true;
    }
    return false;
}

bool endpoints_connected(char (*real)[ENDPOINT_SIZE], unsigned count, int fd)
{
    int listens = 0;
    socklen_t listens_size = sizeof listens;
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) == 0 && !listens &&
           getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
           endpoints_contain(real, count, &address);
}

void endpoints_shut(char (*real)[ENDPOINT_SIZE], unsigned count, int fd)
{
    /* It may become something else at any time: what is looked at is what is closed. */
    int copy = dup(fd);
    if (copy < 0 && errno == EBADF)
        return;
    int held = copy < 0 ? fd : copy; /* no descriptor left: rather the wrong one */
    if (endpoints_connected(real, count, held))
        shutdown(held, SHUT_RDWR);
    if (copy >= 0)
        close(copy);
}
