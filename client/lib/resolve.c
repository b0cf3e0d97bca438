/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the lookups in progress in the process. A lookup is shared by its thread and its waiters; the last one
 * to leave frees it. */
#include "client/lib/resolve.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/lib/system.h"
#include "common/clock.h"
#include "common/number.h"

enum {
    HOST_MAX = 255,  /* bytes of a host name (RFC 1035), or of a numeric address with its zone */
    PORT_DIGITS = 5, /* of the highest port */
    PORT_MAX = 65535
};

/* ---- Endpoints -------------------------------------------------------------------------------- */

typedef struct parts {
    int before;              /* bytes before the host and its opening bracket */
    char host[HOST_MAX + 1]; /* without brackets */
    const char *port;        /* digits; borrowed */
} parts_t;

static bool is_port(const char *text)
{
    uint64_t port;
    return strlen(text) <= PORT_DIGITS && number_parse(bytes_from_text(text), &port) && port > 0 &&
           port <= PORT_MAX;
}

/* Whether TEXT can be a host: a name, or a numeric address with or without zone. */
static bool is_host(const char *text)
{
    if (*text == '\0')
        return false;
    for (const char *at = text; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr(".-_:%", *at) == NULL)
            return false;
    return true;
}

/* Splits `tcp://[SOURCE;]HOST:PORT`. False if ENDPOINT has another form. */
static bool parts_read(const char *endpoint, parts_t *parts)
{
    const char *host = endpoint + strlen("tcp://");
    const char *source_end = strrchr(host, ';');
    if (source_end != NULL)
        host = source_end + 1;
    const char *colon = strrchr(host, ':');
    if (colon == NULL || !is_port(colon + 1))
        return false;
    size_t size = (size_t)(colon - host);
    bool brackets = size >= 2 && host[0] == '[' && host[size - 1] == ']';
    parts->before = (int)(host - endpoint);
    parts->port = colon + 1;
    if (brackets) {
        host++;
        size -= 2;
    }
    if (size > HOST_MAX)
        return false;
    memcpy(parts->host, host, size);
    parts->host[size] = '\0';
    return is_host(parts->host);
}

static bool is_numeric(const char *host)
{
    struct in6_addr address;
    char without_zone[HOST_MAX + 1];
    (void)snprintf(without_zone, sizeof without_zone, "%.*s", (int)strcspn(host, "%"), host);
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, without_zone, &address) == 1;
}

/* Writes ENDPOINT with HOST, a numeric address, into NUMERIC. False if that is too long. */
static bool endpoint_write(const char *endpoint, const parts_t *parts, const char *host,
                           char numeric[RESOLVE_ENDPOINT_MAX + 1])
{
    bool v6 = strchr(host, ':') != NULL;
    int size = snprintf(numeric, RESOLVE_ENDPOINT_MAX + 1, "%.*s%s%s%s:%s", parts->before, endpoint,
                        v6 ? "[" : "", host, v6 ? "]" : "", parts->port);
    return size > 0 && size <= RESOLVE_ENDPOINT_MAX;
}

/* ---- Waiting ---------------------------------------------------------------------------------- */

typedef enum waited { WAITED_READY, WAITED_TIMEOUT, WAITED_INTERRUPTED } waited_t;

/* Waits for EVENTS of FD until UNTIL_MS. WAIT says what interrupts it. */
static waited_t wait_for(int fd, short events, int64_t until_ms, const resolve_wait_t *wait)
{
    for (;;) {
        int64_t left_ms = until_ms - clock_monotonic_ms();
        struct pollfd items[] = {{.fd = fd, .events = events}, {.fd = wait->wake, .events = POLLIN}};
        int limit_ms = system_poll_ms(left_ms);
        int ready = poll(items, 2, limit_ms);
        if (ready > 0)
            return items[1].revents != 0 ? WAITED_INTERRUPTED : WAITED_READY;
        if (ready < 0 && errno == EINTR && wait->interrupted != NULL && wait->interrupted(wait->context))
            return WAITED_INTERRUPTED;
        if (left_ms <= 0)
            return WAITED_TIMEOUT;
    }
}

/* ---- Lookups ---------------------------------------------------------------------------------- */

typedef struct address {
    struct sockaddr_storage socket; /* without a port */
    socklen_t size;                 /* of it */
    char text[HOST_MAX + 1];        /* numeric */
} address_t;

typedef struct addresses {
    unsigned count;
    address_t list[RESOLVE_ADDRESSES_MAX];
} addresses_t;

typedef struct lookup {
    struct lookup *next;   /* in `lookups` */
    unsigned users;        /* its thread and its waiters */
    int done;              /* eventfd, readable when the lookup has ended */
    int error;             /* of getaddrinfo */
    int system_error;      /* errno with EAI_SYSTEM */
    addresses_t addresses; /* if there is no error */
    char host[HOST_MAX + 1];
} lookup_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* protects what follows, and `users` */
static lookup_t *lookups;                                /* lookups whose threads run */
static unsigned lookup_count;

/* In the child of a fork the threads do not exist. Abandons their lookups. */
static void lookups_forget(void)
{
    while (lookups != NULL) {
        lookup_t *next = lookups->next;
        (void)close(lookups->done);
        system_abandon(lookups);
        lookups = next;
    }
    lookup_count = 0;
    (void)pthread_mutex_unlock(&lock);
}

static void lookups_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

static void lookups_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

static void forks_follow(void)
{
    (void)pthread_atfork(lookups_lock, lookups_unlock, lookups_forget);
}

/* Gives up one use of LOOKUP, and frees it after the last. Called with the lock held. */
static void lookup_leave(lookup_t *lookup)
{
    if (--lookup->users > 0)
        return;
    (void)close(lookup->done);
    free(lookup);
}

/* Copies the result of getaddrinfo, without duplicates. */
static void addresses_read(addresses_t *addresses, const struct addrinfo *found)
{
    for (; found != NULL && addresses->count < RESOLVE_ADDRESSES_MAX; found = found->ai_next) {
        address_t *address = &addresses->list[addresses->count];
        bool known = found->ai_addrlen > sizeof address->socket ||
                     getnameinfo(found->ai_addr, found->ai_addrlen, address->text, sizeof address->text, NULL,
                                 0, NI_NUMERICHOST) != 0;
        for (unsigned i = 0; i < addresses->count && !known; i++)
            known = strcmp(addresses->list[i].text, address->text) == 0;
        if (known)
            continue;
        memcpy(&address->socket, found->ai_addr, found->ai_addrlen);
        address->size = found->ai_addrlen;
        addresses->count++;
    }
}

static void *lookup_run(void *argument)
{
    lookup_t *lookup = argument;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    uint64_t one = 1;
    lookup->error = getaddrinfo(lookup->host, NULL, &hints, &found);
    lookup->system_error = lookup->error == EAI_SYSTEM ? errno : 0;
    if (lookup->error == 0) {
        addresses_read(&lookup->addresses, found);
        freeaddrinfo(found);
    }
    lookups_lock();
    for (lookup_t **at = &lookups; *at != NULL; at = &(*at)->next)
        if (*at == lookup) {
            *at = lookup->next;
            break;
        }
    lookup_count--;
    (void)!write(lookup->done, &one, sizeof one);
    lookup_leave(lookup);
    lookups_unlock();
    return NULL;
}

/* Starts a lookup. NULL if memory, a descriptor or a thread is refused. Called with the lock held. */
static lookup_t *lookup_start(const char *host)
{
    pthread_t thread;
    lookup_t *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return NULL;
    (void)snprintf(lookup->host, sizeof lookup->host, "%s", host);
    lookup->done = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    lookup->users = 2;
    if (lookup->done < 0 || !system_thread_start(&thread, lookup_run, lookup)) {
        if (lookup->done >= 0)
            (void)close(lookup->done);
        free(lookup);
        return NULL;
    }
    (void)pthread_detach(thread);
    lookup->next = lookups;
    lookups = lookup;
    lookup_count++;
    return lookup;
}

/* Joins the lookup of HOST that is in progress, or starts one. */
static resolve_status_t lookup_join(const char *host, lookup_t **lookup)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    resolve_status_t status = RESOLVE_DONE;
    (void)pthread_once(&once, forks_follow);
    lookups_lock();
    lookup_t *found = lookups;
    while (found != NULL && strcmp(found->host, host) != 0)
        found = found->next;
    if (found != NULL)
        found->users++;
    else if (lookup_count >= RESOLVE_LOOKUPS_MAX)
        status = RESOLVE_FAILED;
    else if (!system_descriptors_free(RESOLVE_DESCRIPTORS) || (found = lookup_start(host)) == NULL)
        status = RESOLVE_NO_MEMORY;
    *lookup = found;
    lookups_unlock();
    return status;
}

/* RESOLVE_NO_MEMORY if ERROR (errno) says that memory or descriptors are refused; else OTHERWISE. */
static resolve_status_t status_of_system(int error, resolve_status_t otherwise)
{
    bool refused = error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
    return refused ? RESOLVE_NO_MEMORY : otherwise;
}

static resolve_status_t status_of(int error, int system_error)
{
    switch (error) {
    case 0:
        return RESOLVE_DONE;
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return RESOLVE_UNKNOWN;
    case EAI_MEMORY:
        return RESOLVE_NO_MEMORY;
    case EAI_SYSTEM:
        return status_of_system(system_error, RESOLVE_FAILED);
    default:
        return RESOLVE_FAILED;
    }
}

/* Looks HOST up. */
static resolve_status_t look_up(const char *host, const resolve_wait_t *wait, addresses_t *addresses)
{
    static const resolve_status_t otherwise[] = {
        [WAITED_TIMEOUT] = RESOLVE_SILENT, [WAITED_INTERRUPTED] = RESOLVE_INTERRUPTED};
    lookup_t *lookup;
    resolve_status_t status = lookup_join(host, &lookup);
    if (status != RESOLVE_DONE)
        return status;
    waited_t waited = wait_for(lookup->done, POLLIN, wait->deadline, wait);
    lookups_lock();
    if (waited == WAITED_READY) {
        status = status_of(lookup->error, lookup->system_error);
        *addresses = lookup->addresses;
    }
    lookup_leave(lookup);
    lookups_unlock();
    if (waited != WAITED_READY)
        return otherwise[waited];
    return status == RESOLVE_DONE && addresses->count == 0 ? RESOLVE_UNKNOWN : status;
}

/* ---- Several addresses -------------------------------------------------------------------------- */

/* Tries a connection to PORT of ADDRESS until UNTIL_MS. Returns RESOLVE_DONE, REFUSED, UNREACHED, INTERRUPTED
 * or NO_MEMORY. */
static resolve_status_t address_try(address_t *address, const char *port, int64_t until_ms,
                                    const resolve_wait_t *wait)
{
    in_port_t number = htons((uint16_t)strtoul(port, NULL, 10));
    if (address->socket.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->socket)->sin6_port = number;
    else
        ((struct sockaddr_in *)&address->socket)->sin_port = number;
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return status_of_system(errno, RESOLVE_REFUSED);
    resolve_status_t status = RESOLVE_DONE;
    if (connect(fd, (const struct sockaddr *)&address->socket, address->size) != 0)
        status = errno == EINPROGRESS || errno == EINTR ? RESOLVE_UNREACHED : RESOLVE_REFUSED;
    if (status == RESOLVE_UNREACHED) {
        int error = 0;
        socklen_t size = sizeof error;
        waited_t waited = wait_for(fd, POLLOUT, until_ms, wait);
        if (waited == WAITED_INTERRUPTED)
            status = RESOLVE_INTERRUPTED;
        else if (waited == WAITED_READY && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0)
            status = error == 0 ? RESOLVE_DONE : RESOLVE_REFUSED;
    }
    (void)close(fd);
    return status;
}

/* Sets *CHOSEN to the first address that accepts a connection. Each has an equal part of the remaining time.
 */
static resolve_status_t address_choose(addresses_t *addresses, const char *port, const resolve_wait_t *wait,
                                       unsigned *chosen)
{
    resolve_status_t result = RESOLVE_REFUSED;
    for (unsigned i = 0; i < addresses->count; i++) {
        int64_t now_ms = clock_monotonic_ms();
        int64_t until_ms = now_ms + (wait->deadline - now_ms) / (addresses->count - i);
        resolve_status_t status = address_try(&addresses->list[i], port, until_ms, wait);
        *chosen = i;
        if (status == RESOLVE_DONE || status == RESOLVE_INTERRUPTED || status == RESOLVE_NO_MEMORY)
            return status;
        if (status == RESOLVE_UNREACHED)
            result = status;
    }
    return result;
}

/* ---- The interface ------------------------------------------------------------------------------ */

resolve_status_t resolve_endpoint(const char *endpoint, const resolve_wait_t *wait,
                                  char numeric[RESOLVE_ENDPOINT_MAX + 1])
{
    parts_t parts;
    addresses_t addresses;
    unsigned chosen = 0;
    if (strlen(endpoint) > RESOLVE_ENDPOINT_MAX)
        return RESOLVE_INVALID;
    if (strncmp(endpoint, "tcp://", strlen("tcp://")) != 0) {
        (void)snprintf(numeric, RESOLVE_ENDPOINT_MAX + 1, "%s", endpoint);
        return RESOLVE_DONE;
    }
    if (!parts_read(endpoint, &parts))
        return RESOLVE_INVALID;
    if (is_numeric(parts.host))
        return endpoint_write(endpoint, &parts, parts.host, numeric) ? RESOLVE_DONE : RESOLVE_INVALID;
    resolve_status_t status = look_up(parts.host, wait, &addresses);
    if (status == RESOLVE_DONE && addresses.count > 1)
        status = address_choose(&addresses, parts.port, wait, &chosen);
    if (status == RESOLVE_DONE && !endpoint_write(endpoint, &parts, addresses.list[chosen].text, numeric))
        status = RESOLVE_INVALID;
    return status;
}

const char *resolve_status_text(resolve_status_t status)
{
    static const char *const texts[] = {
        [RESOLVE_DONE] = "done",
        [RESOLVE_INVALID] = "it is not an endpoint: write tcp://HOST:PORT or ipc://PATH",
        [RESOLVE_UNKNOWN] = "there is no host of that name: check its spelling",
        [RESOLVE_SILENT] = "no name server answered in time: check the network, or give the host's address",
        [RESOLVE_FAILED] = "the host's name cannot be looked up now: check the network and the name server",
        [RESOLVE_REFUSED] = "nobody listens at any of the host's addresses: start kvbroker there",
        [RESOLVE_UNREACHED] = "no address of the host answered in time: check the network",
        [RESOLVE_INTERRUPTED] = "interrupted",
        [RESOLVE_NO_MEMORY] = "no memory, threads or descriptors: raise the process's limits",
    };
    return texts[status];
}
