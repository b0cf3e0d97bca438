/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the handler of SIGINT and the flag that it sets. */
#include "client/cli/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t interrupted;

static void interrupt_handle(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

void interrupt_catch(void)
{
    struct sigaction action = {.sa_handler = interrupt_handle};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

bool interrupt_pending(void)
{
    return interrupted != 0;
}

void interrupt_clear(void)
{
    interrupted = 0;
}

interrupt_wait_t interrupt_wait(int file)
{
    sigset_t interrupt;
    sigset_t before;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, &before);
    int ready = -1;
    if (!interrupt_pending()) {
        struct pollfd wanted = {.fd = file, .events = POLLIN};
        ready = ppoll(&wanted, 1, NULL,
                      &before); /* SIGINT comes through here, and nowhere else in this function */
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (interrupt_pending())
        return WAIT_INTERRUPT;
    return ready == 1 ? WAIT_READABLE : WAIT_SIGNAL;
}
