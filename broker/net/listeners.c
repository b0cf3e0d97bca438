/* SPDX-License-Identifier: MPL-2.0 */
/* Sets up sockets, and says what to do if that fails. Does not know what is sent on them. */
#include "broker/net/listeners.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "common/log.h"
#include "common/utf8.h"

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
        return "permission denied: choose a port above 1023, or a path in a folder that may be written";
    case EPERM:
        return "its file cannot be given to listen/ipc_group: choose a group that the broker's user is in";
    case ENOENT:
    case ENOTDIR:
        return "no such folder: make it, or choose another path";
    case ENOTSOCK:
        return "the file there is not a socket and was left alone: choose another path, or move it away";
    case EEXIST:
        return "the file with .lock behind its name is not a broker's lock and was left alone: move it away";
    case ENAMETOOLONG:
        return "its absolute path is longer than 107 bytes, the limit of a socket: choose a shorter one";
    default:
        return zmq_strerror(error);
    }
}

bool listeners_init(listeners_t *listeners, const char *what, unsigned count, const settings_t *settings)
{
    *listeners = (listeners_t){.what = what, .count = count};
    listeners->access = settings->ipc;
    listeners->real = calloc(count, sizeof *listeners->real);
    listeners->files = calloc(count, sizeof *listeners->files);
    return listeners->real != NULL && listeners->files != NULL;
}

void listeners_release(listeners_t *listeners)
{
    for (unsigned i = 0; listeners->files != NULL && i < listeners->count; i++)
        ipc_file_destroy(&listeners->files[i]);
    free(listeners->files);
    free(listeners->real);
    *listeners = (listeners_t){0};
}

/* Returns the path of an endpoint in the file system. NULL for tcp, for an abstract name (unix(7)), and if
 * libzmq chooses the path. */
static const char *endpoint_path(const char *endpoint)
{
    static const char scheme[] = "ipc://";
    if (strncmp(endpoint, scheme, sizeof scheme - 1) != 0)
        return NULL;
    const char *path = endpoint + sizeof scheme - 1;
    return path[0] == '@' || strcmp(path, "*") == 0 ? NULL : path;
}

/* Binds SOCKET to the Ith endpoint, an ipc path. We make the listening socket, and libzmq takes it over.
 * Returns false with errno set on failure. */
static bool path_bind(void *socket, listeners_t *listeners, unsigned i, const char *path)
{
    char absolute[sizeof((struct sockaddr_un *)NULL)->sun_path];
    int backlog = 0;
    size_t size = sizeof backlog;
    int fd = -1;
    if (zmq_getsockopt(socket, ZMQ_BACKLOG, &backlog, &size) != 0 ||
        !ipc_path_absolute(path, absolute, sizeof absolute) ||
        (listeners->files[i] = ipc_file_new(absolute, &listeners->access, backlog, &fd)) == NULL)
        return false;
    snprintf(listeners->real[i], ENDPOINT_SIZE, "ipc://%s", absolute);
    const socket_option_t use = {ZMQ_USE_FD, fd};
    const socket_option_t own = {ZMQ_USE_FD, -1};
    bool bound = socket_options_set(socket, &use, 1) && zmq_bind(socket, listeners->real[i]) == 0;
    int error = errno;
    if (!bound)
        close(fd);
    bound &= socket_options_set(socket, &own, 1);
    errno = error;
    return bound;
}

static bool address_bind(void *socket, listeners_t *listeners, unsigned i, const char *endpoint)
{
    /* Only for an IPv6 address: with this option libzmq shows IPv4 addresses as ::ffff:127.0.0.1. */
    const socket_option_t ipv6 = {ZMQ_IPV6, strchr(endpoint, '[') != NULL};
    if (!socket_options_set(socket, &ipv6, 1) || zmq_bind(socket, endpoint) != 0)
        return false;
    size_t size = ENDPOINT_SIZE;
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, listeners->real[i], &size) != 0)
        snprintf(listeners->real[i], ENDPOINT_SIZE, "%s", endpoint);
    return true;
}

bool listeners_bind(void *socket, listeners_t *listeners, char *const *wanted, char *problem,
                    size_t problem_size)
{
    for (unsigned i = 0; i < listeners->count; i++) {
        const char *endpoint = wanted[i];
        const char *path = endpoint_path(endpoint);
        bool bound = path != NULL ? path_bind(socket, listeners, i, path)
                                  : address_bind(socket, listeners, i, endpoint);
        if (!bound) {
            utf8_format(problem, problem_size, "listen/%s: %s: %s", listeners->what, endpoint,
                        endpoint_advice(errno));
            return false;
        }
        log_info("listening for %s on %s", listeners->what, listeners->real[i]);
    }
    return true;
}

bool listeners_contain(char (*real)[ENDPOINT_SIZE], unsigned count, const struct sockaddr_storage *address)
{
    char wanted[ENDPOINT_SIZE] = "";
    if (address->ss_family == AF_UNIX) {
        /* An abstract name (unix(7)) begins with a zero byte, for which libzmq writes an @. */
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
        if (strcmp(address->ss_family == AF_UNIX || port == NULL ? endpoint : port, wanted) == 0)
            return true;
    }
    return false;
}

bool listeners_connected(char (*real)[ENDPOINT_SIZE], unsigned count, int fd)
{
    int listens = 0;
    socklen_t listens_size = sizeof listens;
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) == 0 && !listens &&
           getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
           listeners_contain(real, count, &address);
}

void listeners_shut(char (*real)[ENDPOINT_SIZE], unsigned count, int fd)
{
    /* FD may be reused at any time. With a copy, the connection that is checked is the one that is closed. */
    int copy = dup(fd);
    if (copy < 0 && errno == EBADF)
        return;
    int held = copy < 0 ? fd : copy; /* no descriptor left: better the wrong connection than none */
    if (listeners_connected(real, count, held))
        shutdown(held, SHUT_RDWR);
    if (copy >= 0)
        close(copy);
}
