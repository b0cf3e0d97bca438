/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the thread that computes argon2id, and the jobs on their way to it and back. Jobs belong to the
 * caller's thread. The worker borrows one at a time; pointers to jobs travel through the actor's pipe. */
#include "broker/net/verifier.h"

#include <assert.h>
#include <sodium.h>
#include <stdatomic.h>

/* Which thread has a job. The thread that hands it over stores this last, and the thread that takes it loads
 * it first. So the accesses of the two threads are ordered by C's memory model, and not only by the pipe. */
typedef enum job_place { JOB_HANDED_OVER, JOB_DONE } job_place_t;

/* One password to verify. */
typedef struct job {
    struct job *next; /* neighbours in the verifier's ring of jobs */
    struct job *prev;
    atomic_int place;              /* job_place_t */
    atomic_bool cancelled;         /* nobody waits for it any more */
    uint64_t id;                   /* the caller's number */
    verdict_t verdict;             /* written by the worker */
    char hash[PASSWORD_HASH_SIZE]; /* zero-terminated */
    size_t size;                   /* bytes of the password */
    uint8_t password[LIMIT_PASSWORD];
} job_t;

struct verifier {
    zactor_t *actor;
    atomic_bool stopping; /* the worker skips the remaining jobs */
    unsigned count;       /* jobs handed over and not collected, at most VERIFIER_JOBS_MAX */
    job_t jobs;           /* head of the ring of those jobs */
};

static void job_unlink(job_t *job)
{
    job->prev->next = job->next;
    job->next->prev = job->prev;
}

static void job_free(job_t *job)
{
    sodium_memzero(job->password, sizeof job->password);
    free(job);
}

/* The thread. Reads pointers to jobs from the pipe and sends them back when they are done, until czmq sends
 * "$TERM". */
static void worker(zsock_t *pipe, void *context)
{
    verifier_t *verifier = context;
    void *socket = zsock_resolve(pipe);
    zsock_signal(pipe, 0);
    for (;;) {
        job_t *job = NULL;
        int size = zmq_recv(socket, &job, sizeof job, 0);
        if (size < 0 && zmq_errno() == EINTR)
            continue;
        if (size != sizeof job)
            return;
        if (atomic_load(&verifier->stopping))
            continue;
        int place = atomic_load(&job->place);
        assert(place == JOB_HANDED_OVER);
        (void)place;
        job->verdict = VERDICT_NONE;
        if (!atomic_load(&job->cancelled))
            job->verdict = password_verify(job->hash, bytes_of(job->password, job->size));
        sodium_memzero(job->password, sizeof job->password);
        atomic_store(&job->place, JOB_DONE);
        zmq_send(socket, &job, sizeof job, 0);
    }
}

verifier_t *verifier_new(void)
{
    verifier_t *verifier = calloc(1, sizeof *verifier);
    if (verifier == NULL)
        return NULL;
    verifier->jobs.next = verifier->jobs.prev = &verifier->jobs;
    atomic_init(&verifier->stopping, false);
    verifier->actor = zactor_new(worker, verifier);
    if (verifier->actor == NULL)
        verifier_destroy(&verifier);
    return verifier;
}

void verifier_destroy(verifier_t **verifier)
{
    verifier_t *self = *verifier;
    if (self == NULL)
        return;
    atomic_store(&self->stopping, true);
    zactor_destroy(&self->actor);
    for (job_t *job = self->jobs.next; job != &self->jobs;) {
        job_t *next = job->next;
        job_free(job);
        job = next;
    }
    free(self);
    *verifier = NULL;
}

bool verifier_submit(void *context, uint64_t id, const char *hash, bytes_t password)
{
    verifier_t *verifier = context;
    size_t length = strlen(hash);
    if (verifier->count == VERIFIER_JOBS_MAX || length >= PASSWORD_HASH_SIZE ||
        password.size > LIMIT_PASSWORD)
        return false;
    job_t *job = calloc(1, sizeof *job);
    if (job == NULL)
        return false;
    job->id = id;
    memcpy(job->hash, hash, length);
    job->size = password.size;
    if (password.size > 0)
        memcpy(job->password, password.data, password.size);
    atomic_store(&job->place, JOB_HANDED_OVER);
    if (zmq_send(zsock_resolve(verifier->actor), &job, sizeof job, ZMQ_DONTWAIT) != sizeof job) {
        job_free(job);
        return false;
    }
    job->prev = verifier->jobs.prev; /* safe: the worker does not read the links */
    job->next = &verifier->jobs;
    job->prev->next = job->next->prev = job;
    verifier->count++;
    return true;
}

void verifier_cancel(void *context, uint64_t id)
{
    verifier_t *verifier = context;
    for (job_t *job = verifier->jobs.next; job != &verifier->jobs; job = job->next) {
        if (job->id == id)
            atomic_store(&job->cancelled, true);
    }
}

void *verifier_socket(verifier_t *verifier)
{
    return zsock_resolve(verifier->actor);
}

bool verifier_busy(const verifier_t *verifier)
{
    return verifier->count > 0;
}

bool verifier_collect(verifier_t *verifier, uint64_t *id, verdict_t *verdict)
{
    job_t *job = NULL;
    if (zmq_recv(zsock_resolve(verifier->actor), &job, sizeof job, ZMQ_DONTWAIT) != sizeof job)
        return false;
    int place = atomic_load(&job->place);
    assert(place == JOB_DONE);
    (void)place;
    *id = job->id;
    *verdict = job->verdict;
    verifier->count--;
    job_unlink(job);
    job_free(job);
    return true;
}
