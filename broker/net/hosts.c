/* SPDX-License-Identifier: MPL-2.0 */
/* Looks up the hosts of endpoints, and checks whether they belong to this machine. Makes no socket that a
 * client could reach. */
#include "broker/net/hosts.h"

#include <errno.h>
#include <ifaddrs.h>
#include <libgen.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/net/ipc_file.h"
#include "common/number.h"
#include "common/utf8.h"

enum {
    HOST_SIZE = 256,   /* bytes of a host's text with its terminating zero; config_value.c keeps it shorter */
    ADDRESS_SIZE = 80, /* bytes of a numeric address, with a scope */
    ADDRESSES_MAX = 16 /* addresses of one name; more are ignored */
};

/* The endpoint that is being looked up. */
typedef struct lookup {
    const char *endpoint;
    const char *what;     /* "requests" or "events", for messages */
    uint64_t group;       /* that the file of an ipc path gets, or IPC_GROUP_OWN */
    char host[HOST_SIZE]; /* as written, without brackets */
    bool bracketed;
    const char *port; /* digits or * */
    endpoint_list_t *list;
    char *problem;
    size_t problem_size;
} lookup_t;

static bool fault(const lookup_t *lookup, const char *text)
{
    utf8_format(lookup->problem, lookup->problem_size, "listen/%s: %s: %s", lookup->what, lookup->endpoint,
                text);
    return false;
}

static bool fault_memory(const lookup_t *lookup)
{
    return fault(lookup, "out of memory; free some and start again");
}

static bool list_add(const lookup_t *lookup, const char *endpoint)
{
    endpoint_list_t *list = lookup->list;
    char **grown = realloc(list->endpoints, (list->count + 1) * sizeof *grown);
    if (grown != NULL)
        list->endpoints = grown;
    char *copy = grown == NULL ? NULL : strdup(endpoint);
    if (copy == NULL)
        return fault_memory(lookup);
    grown[list->count++] = copy;
    return true;
}

/* Tries to bind a socket to ADDRESS. Returns 0 or an errno. A port in use counts as success, because the
 * broker whose configuration is being checked may be using it. */
static int address_probe(const struct sockaddr *address, socklen_t size)
{
    const int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int error = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 || bind(fd, address, size) != 0)
        error = errno;
    close(fd);
    return error == EADDRINUSE ? 0 : error;
}

/* Adds the endpoint for one address of the host. */
static bool address_add(const lookup_t *lookup, const struct addrinfo *address)
{
    char figures[ADDRESS_SIZE];
    char endpoint[ENDPOINT_SIZE];
    int failure =
        getnameinfo(address->ai_addr, address->ai_addrlen, figures, sizeof figures, NULL, 0, NI_NUMERICHOST);
    if (failure == EAI_MEMORY)
        return fault_memory(lookup);
    if (failure != 0)
        return fault(lookup, "its address cannot be written; choose another one");
    bool wide = address->ai_family == AF_INET6;
    snprintf(endpoint, sizeof endpoint, "tcp://%s%s%s:%s", wide ? "[" : "", figures, wide ? "]" : "",
             lookup->port);
    for (unsigned i = 0; i < lookup->list->count; i++) /* two names can have the same address */
        if (strcmp(lookup->port, "*") != 0 && strcmp(lookup->list->endpoints[i], endpoint) == 0)
            return true;
    return list_add(lookup, endpoint);
}

/* Adds the addresses in FOUND that are of FAMILY and that a socket can be bound to. If one cannot, *ERROR is
 * the errno that says why. */
static bool family_add(const lookup_t *lookup, const struct addrinfo *found, int family, int *error)
{
    unsigned seen = 0;
    for (const struct addrinfo *at = found; at != NULL && seen < ADDRESSES_MAX; at = at->ai_next, seen++) {
        if (at->ai_family != family)
            continue;
        int why = address_probe(at->ai_addr, at->ai_addrlen);
        if (why != 0)
            *error = why;
        else if (!address_add(lookup, at))
            return false;
    }
    return true;
}

/* Adds the addresses of a numeric host or a host name. */
static bool host_add(const lookup_t *lookup)
{
    static const struct addrinfo any = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    static const struct addrinfo figures = {
        .ai_family = AF_INET6, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    unsigned before = lookup->list->count;
    int error = EADDRNOTAVAIL;
    int failure = getaddrinfo(lookup->host, strcmp(lookup->port, "*") == 0 ? "0" : lookup->port,
                              lookup->bracketed ? &figures : &any, &found);
    if (failure == EAI_MEMORY || (failure == EAI_SYSTEM && errno == ENOMEM))
        return fault_memory(lookup);
    if (failure != 0) {
        char text[160];
        snprintf(text, sizeof text, "no such host: %s; check the name, or write a numeric address",
                 failure == EAI_SYSTEM ? strerror(errno) : gai_strerror(failure));
        return fault(lookup, text);
    }
    bool done = family_add(lookup, found, AF_INET, &error) && family_add(lookup, found, AF_INET6, &error);
    freeaddrinfo(found);
    if (done && lookup->list->count == before)
        done = fault(lookup, endpoint_advice(error));
    return done;
}

/* Adds the first IPv4 address of a network interface. */
static bool interface_add(const lookup_t *lookup)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0)
        return fault(lookup, strerror(errno));
    const struct ifaddrs *at = all;
    while (at != NULL && (at->ifa_addr == NULL || at->ifa_addr->sa_family != AF_INET ||
                          strcmp(at->ifa_name, lookup->host) != 0))
        at = at->ifa_next;
    bool done;
    if (at == NULL) {
        done = fault(lookup, "the network interface has no IPv4 address; write a numeric address");
    } else {
        const struct addrinfo address = {
            .ai_family = AF_INET, .ai_addr = at->ifa_addr, .ai_addrlen = sizeof(struct sockaddr_in)};
        done = address_add(lookup, &address);
    }
    freeifaddrs(all);
    return done;
}

/* Adds the wildcard, if the broker may use the port. */
static bool wildcard_add(const lookup_t *lookup)
{
    uint64_t port = 0;
    if (!number_parse(bytes_from_text(lookup->port), &port))
        port = 0; /* the port is *: any free one */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int error = address_probe((const struct sockaddr *)&address, sizeof address);
    return error != 0 ? fault(lookup, endpoint_advice(error)) : list_add(lookup, lookup->endpoint);
}

static bool tcp_add(lookup_t *lookup, const char *address)
{
    const char *colon = strrchr(address, ':');
    size_t size = (size_t)(colon - address);
    lookup->port = colon + 1;
    lookup->bracketed = address[0] == '[';
    snprintf(lookup->host, sizeof lookup->host, "%.*s", (int)(lookup->bracketed ? size - 2 : size),
             lookup->bracketed ? address + 1 : address);
    if (strcmp(lookup->host, "*") == 0)
        return wildcard_add(lookup);
    if (!lookup->bracketed && if_nametoindex(lookup->host) != 0)
        return interface_add(lookup);
    return host_add(lookup);
}

/* Adds an ipc path as it is written. Its folder must exist and be writable. Only a socket may be at the path,
 * and only a broker's lock at its lock path. */
static bool ipc_add(const lookup_t *lookup, const char *path)
{
    char absolute[sizeof((struct sockaddr_un *)NULL)->sun_path];
    char folder[sizeof absolute];
    struct stat there;
    if (path[0] == '@' ||
        strcmp(path, "*") == 0) /* an abstract name (unix(7)), or a file of libzmq's choice */
        return list_add(lookup, lookup->endpoint);
    if (!ipc_path_absolute(path, absolute, sizeof absolute))
        return fault(lookup, endpoint_advice(errno));
    snprintf(folder, sizeof folder, "%s", absolute);
    if (access(dirname(folder), W_OK | X_OK) != 0)
        return fault(lookup, endpoint_advice(errno));
    if (lstat(absolute, &there) == 0 && !S_ISSOCK(there.st_mode))
        return fault(lookup, endpoint_advice(ENOTSOCK));
    if (!ipc_lock_free(absolute) || !ipc_group_allowed(lookup->group))
        return fault(lookup, endpoint_advice(errno));
    return list_add(lookup, lookup->endpoint);
}

static bool resolve(char *const *endpoints, unsigned count, const char *what, uint64_t group,
                    endpoint_list_t *list, char *problem, size_t problem_size)
{
    static const char tcp[] = "tcp://";
    static const char ipc[] = "ipc://";
    *list = (endpoint_list_t){0};
    bool done = true;
    for (unsigned i = 0; done && i < count; i++) {
        lookup_t lookup = {.endpoint = endpoints[i],
                           .what = what,
                           .group = group,
                           .list = list,
                           .problem = problem,
                           .problem_size = problem_size};
        if (strncmp(endpoints[i], tcp, sizeof tcp - 1) == 0)
            done = tcp_add(&lookup, endpoints[i] + sizeof tcp - 1);
        else
            done = ipc_add(&lookup, endpoints[i] + sizeof ipc - 1);
    }
    if (!done)
        hosts_release(list);
    return done;
}

bool hosts_of_requests(const settings_t *settings, endpoint_list_t *list, char *problem, size_t problem_size)
{
    return resolve(settings->requests, settings->request_count, "requests", settings->ipc.group, list,
                   problem, problem_size);
}

bool hosts_of_events(const settings_t *settings, endpoint_list_t *list, char *problem, size_t problem_size)
{
    return resolve(settings->events, settings->event_count, "events", settings->ipc.group, list, problem,
                   problem_size);
}

void hosts_release(endpoint_list_t *list)
{
    for (unsigned i = 0; i < list->count; i++)
        free(list->endpoints[i]);
    free(list->endpoints);
    *list = (endpoint_list_t){0};
}

bool hosts_check(const settings_t *settings, char *problem, size_t problem_size)
{
    endpoint_list_t list;
    if (!hosts_of_requests(settings, &list, problem, problem_size))
        return false;
    hosts_release(&list);
    if (!hosts_of_events(settings, &list, problem, problem_size))
        return false;
    hosts_release(&list);
    return true;
}
