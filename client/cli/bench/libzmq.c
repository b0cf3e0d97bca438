/* SPDX-License-Identifier: MPL-2.0 */
/* Repeats the names and numbers of libzmq's interface (zmq.h) that it needs. */
#include "client/cli/bench/libzmq.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_SOCKETS = 2,  /* ZMQ_MAX_SOCKETS */
    SOCKET_LIMIT = 3, /* ZMQ_SOCKET_LIMIT */
    EACH = 4          /* most sockets of a connection: its own, its monitor's, and those being closed */
};

/* Sets the function pointer at FUNCTION to the function NAME. False if there is none. */
static bool find(const char *name, void *function)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

void libzmq_version(char *text, size_t size)
{
    void (*version)(int *major, int *minor, int *patch);
    int major;
    int minor;
    int patch;
    *text = '\0';
    if (!find("zmq_version", &version))
        return;
    version(&major, &minor, &patch);
    (void)snprintf(text, size, "%d.%d.%d", major, minor, patch);
}

void *libzmq_context_new(size_t connections)
{
    void *(*make)(void);
    int (*set)(void *context, int option, int value);
    int (*get)(void *context, int option);
    if (!find("zmq_ctx_new", &make) || !find("zmq_ctx_set", &set) || !find("zmq_ctx_get", &get))
        return NULL;
    void *context = make();
    if (context == NULL)
        return NULL;
    int most = get(context, SOCKET_LIMIT);
    if (connections * EACH < (size_t)most)
        most = (int)(connections * EACH);
    if (set(context, MAX_SOCKETS, most) != 0)
        libzmq_context_destroy(&context);
    return context;
}

void libzmq_context_destroy(void **context)
{
    int (*end)(void *context);
    void *gone = *context;
    *context = NULL;
    if (gone == NULL || !find("zmq_ctx_term", &end))
        return;
    while (end(gone) != 0 && errno == EINTR) {
    }
}
