/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the signals' handler and its flags. */
#include "client/cli/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t terminal_changed;

static void signal_handle(int signal_number)
{
    if (signal_number == SIGINT)
        interrupted = 1;
    else
        terminal_changed = 1;
}

static void signal_catch(int signal_number)
{
    struct sigaction action = {.sa_handler = signal_handle};
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

void interrupt_catch(void)
{
    signal_catch(SIGINT);
}

void interrupt_catch_terminal(void)
{
    signal_catch(SIGWINCH);
    signal_catch(SIGCONT);
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
    sigset_t caught;
    sigset_t before;
    sigemptyset(&caught);
    sigaddset(&caught, SIGINT);
    sigaddset(&caught, SIGWINCH);
    sigaddset(&caught, SIGCONT);
    sigprocmask(SIG_BLOCK, &caught, &before);
    while (!interrupted && !terminal_changed) {
        struct pollfd wanted = {.fd = file, .events = POLLIN};
        int ready = ppoll(&wanted, 1, NULL,
                          &before); /* the signals come through here, and nowhere else in this function */
        if (ready != -1 || errno != EINTR)
            break;
    }
    bool changed = terminal_changed != 0;
    terminal_changed = 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (interrupt_pending())
        return WAIT_INTERRUPT;
    return changed ? WAIT_TERMINAL : WAIT_READABLE;
}
