# SPDX-License-Identifier: MPL-2.0
"""What goes on beside a test."""

import threading


class Background(threading.Thread):
    """Calls FUNCTION with ARGUMENTS in a thread. `finish` raises what it raised, which sets STOP (an Event) at once."""

    def __init__(self, function, *arguments, stop=None):
        super().__init__()
        self.function, self.arguments, self.stop = function, arguments, stop
        self.problem = None
        self.start()

    def run(self):
        try:
            self.function(*self.arguments)
        except BaseException as problem:  # raised again in the test's own thread
            self.problem = problem
            if self.stop:
                self.stop.set()

    def finish(self):
        """Waits for its end."""
        self.join()
        if self.problem:
            raise self.problem
