# SPDX-License-Identifier: MPL-2.0
"""A thread that runs while a test does something else."""

import threading


class Background(threading.Thread):
    """Calls FUNCTION with ARGUMENTS in a thread. If it raises an exception, STOP (an Event) is set at once, and `finish`
    raises the exception again."""

    def __init__(self, function, *arguments, stop=None):
        super().__init__()
        self.function, self.arguments, self.stop = function, arguments, stop
        self.problem = None
        self.start()

    def run(self):
        try:
            self.function(*self.arguments)
        except BaseException as problem:  # `finish` raises it in the test's own thread
            self.problem = problem
            if self.stop:
                self.stop.set()

    def finish(self):
        """Waits for the end of the thread."""
        self.join()
        if self.problem:
            raise self.problem
