# SPDX-License-Identifier: MPL-2.0
"""Waiting for conditions, with a bound: no test sleeps."""

import select
import threading
import time

TIMEOUT = 60.0  # seconds before a test gives up waiting; even on a busy machine only a hang takes so long


def wait_until(condition, timeout=TIMEOUT, what="the condition", interval=0.01):
    """Calls CONDITION until it returns something true, and returns that. Raises TimeoutError after TIMEOUT seconds."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come true within {timeout:g} s")
        pause.wait(interval)


def readable(source, seconds=0.0):
    """Waits at most SECONDS until SOURCE (a descriptor or a file) can be read or is at its end. Returns whether it is. (Uses
    poll, because select(2) takes no descriptor above 1,023.)"""
    poll = select.poll()
    poll.register(source, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
