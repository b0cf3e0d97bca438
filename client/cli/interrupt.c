/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the signal handler and its flags. */
#include "client/cli/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t terminal_changed;

static void signal_handle(int signal_number)
{
    if (signal_number == SIGWINCH || signal_number == SIGCONT)
        terminal_changed = 1;
    else
        interrupted = 1;
}

static void signal_catch(int signal_number, int flags)
{
    struct sigaction action = {.sa_handler = signal_handle, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

void interrupt_catch(void)
{
    signal_catch(SIGINT, 0);
}

static const int ends[] = {SIGTERM, SIGHUP};

void interrupt_catch_ends(void)
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct sigaction before;
        if (sigaction(ends[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            signal_catch(ends[i], 0);
    }
}

void interrupt_release_ends(void)
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct sigaction before;
        if (sigaction(ends[i], NULL, &before) == 0 && before.sa_handler == signal_handle)
            (void)signal(ends[i], SIG_DFL);
    }
}

void interrupt_catch_terminal(void)
{
    /* SA_RESTART: resizing the terminal must not make a waiting write fail. ppoll returns anyway. */
    signal_catch(SIGWINCH, SA_RESTART);
    signal_catch(SIGCONT, SA_RESTART);
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
    return interrupt_wait_files(&file, 1, -1);
}

void interrupt_pause(int timeout_ms)
{
    (void)interrupt_wait_files(NULL, 0, timeout_ms);
}

interrupt_wait_t interrupt_wait_files(const int *files, size_t count, int timeout_ms)
{
    struct pollfd wanted[INTERRUPT_FILES_MAX] = {{.fd = -1}};
    for (size_t i = 0; i < count && i < INTERRUPT_FILES_MAX; i++)
        wanted[i] = (struct pollfd){.fd = files[i], .events = POLLIN};
    sigset_t caught;
    sigset_t before;
    sigemptyset(&caught);
    sigaddset(&caught, SIGINT);
    sigaddset(&caught, SIGWINCH);
    sigaddset(&caught, SIGCONT);
    sigaddset(&caught, SIGTERM);
    sigaddset(&caught, SIGHUP);
    sigprocmask(SIG_BLOCK, &caught, &before);
    struct timespec limit = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
    bool failed = false; /* read will return the error */
    while (!interrupted && !terminal_changed) {
        /* Signals are unblocked only during this call. */
        int ready = ppoll(wanted, count, timeout_ms < 0 ? NULL : &limit, &before);
        failed = ready == -1 && errno != EINTR;
        if (failed || ready != -1)
            break;
    }
    bool changed = terminal_changed != 0;
    terminal_changed = 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (interrupt_pending())
        return WAIT_INTERRUPT;
    if (changed)
        return WAIT_TERMINAL;
    return failed || wanted[0].revents != 0 ? WAIT_READABLE : WAIT_OTHER;
}
