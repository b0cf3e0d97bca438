/* SPDX-License-Identifier: MPL-2.0 */
/* Measures the pauses of a broker's loop from outside. This library is preloaded into the broker (LD_PRELOAD)
 * and stands in front of poll(2) and zmq_msg_recv(3), by which the loop looks for work. A pause lasts from
 * one look to the next, without the time that poll sleeps. The longest ones are kept in the file that
 * KV_PAUSES names, which tests/bench/growth maps. The broker itself is unchanged. */
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define EXPORTED __attribute__((visibility("default")))

/* Three numbers of 8 bytes. The reader sets them to 0 to begin anew. */
typedef struct pauses {
    volatile uint64_t count;
    volatile uint64_t longest_used_ns; /* processor time of the loop's thread */
    volatile uint64_t longest_ns;      /* time that passed */
} pauses_t;

static pauses_t *pauses; /* NULL: nothing is measured */
static uint64_t last_used_ns;
static uint64_t last_ns;
static int (*receive)(zmq_msg_t *, void *, int);

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void pause_begin(void)
{
    last_used_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    last_ns = clock_ns(CLOCK_MONOTONIC);
}

static void pause_end(void)
{
    uint64_t used_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - last_used_ns;
    uint64_t passed_ns = clock_ns(CLOCK_MONOTONIC) - last_ns;
    pauses->count++;
    if (used_ns > pauses->longest_used_ns)
        pauses->longest_used_ns = used_ns;
    if (passed_ns > pauses->longest_ns)
        pauses->longest_ns = passed_ns;
}

/* The loop is in the main thread, and polls several descriptors. libzmq polls one. */
static bool measured(void)
{
    return pauses && gettid() == getpid();
}

__attribute__((constructor)) static void pauses_open(void)
{
    void *found = dlsym(RTLD_NEXT, "zmq_msg_recv");
    memcpy(&receive, &found, sizeof receive); /* ISO C has no conversion to a function */
    const char *path = getenv("KV_PAUSES");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof *pauses, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped == MAP_FAILED)
        return;
    pauses = mapped;
    pause_begin();
}

EXPORTED int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    bool look = count > 1 && measured();
    if (look)
        pause_end();
    int ready = ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, NULL);
    if (look)
        pause_begin();
    return ready;
}

EXPORTED int zmq_msg_recv(zmq_msg_t *message, void *socket, int flags)
{
    if (measured()) {
        pause_end();
        pause_begin();
    }
    return receive(message, socket, flags);
}
