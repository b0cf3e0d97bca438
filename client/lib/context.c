/* SPDX-License-Identifier: MPL-2.0 */
/* Owns a libzmq context. */
#include "client/lib/context.h"

#include <errno.h>
#include <zmq.h>

#include "client/lib/system.h"

bool context_init(context_t *context, void *given)
{
    *context = (context_t){.zmq = given, .owned = given == NULL, .process = system_process()};
    if (context->owned)
        context->zmq = zmq_ctx_new();
    return context->zmq != NULL;
}

bool context_foreign(const context_t *context)
{
    return context->process != system_process();
}

void context_release(context_t *context)
{
    if (context->owned && context->zmq != NULL) {
        if (context_foreign(context))
            system_abandon(context->zmq); /* libzmq would wait for ever: its threads are not here */
        else
            while (zmq_ctx_term(context->zmq) != 0 && errno == EINTR) {
            }
    }
    context->zmq = NULL;
    context->started = false;
    context->spent = false;
}

void context_used(context_t *context, bool made)
{
    context->started = context->started || made;
    context->spent = !context->started;
}

/* Whether two threads can be started. libzmq starts two with the first socket of a context, and aborts if
 * that fails. */
static void *wait_for_lock(void *lock)
{
    (void)pthread_mutex_lock(lock);
    (void)pthread_mutex_unlock(lock);
    return NULL;
}

static bool threads_free(void)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[2];
    unsigned count = 0;
    (void)pthread_mutex_lock(&lock);
    while (count < 2 && system_thread_start(&threads[count], wait_for_lock, &lock))
        count++;
    (void)pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    return count == 2;
}

status_t context_prepare(context_t *context, unsigned descriptors)
{
    if (context_foreign(context)) {
        if (!context->owned)
            return STATUS_FAILED_PRECONDITION;
        context_release(context);
        context->process = system_process();
    }
    if (context->owned && context->spent)
        context_release(context);
    descriptors += context->started ? 0 : CONTEXT_DESCRIPTORS;
    descriptors += context->zmq == NULL ? CONTEXT_DESCRIPTORS_NEW : 0;
    if (!system_descriptors_free(descriptors) || (!context->started && !threads_free()))
        return STATUS_RESOURCE_EXHAUSTED;
    if (context->zmq == NULL)
        context->zmq = zmq_ctx_new();
    return context->zmq != NULL ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED;
}
