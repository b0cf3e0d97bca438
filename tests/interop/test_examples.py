# SPDX-License-Identifier: MPL-2.0
"""The examples do what they say."""

import contextlib
import queue
import subprocess
import sys
import threading

import pytest

from kvtest import REPOSITORY, TIMEOUT, Broker

WATCHER = REPOSITORY / "examples" / "python" / "watcher.py"


class Program:
    """A program whose lines are read as they come."""

    def __init__(self, *command, typed=""):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.process.stdin.write(typed)
        self.process.stdin.close()
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=lambda: [self.lines.put(line.rstrip("\n")) for line in self.process.stdout])
        self.reader.start()

    def line(self):
        return self.lines.get(timeout=TIMEOUT)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def run():
    with contextlib.ExitStack() as stack:
        def start(*command, typed=""):
            return stack.enter_context(contextlib.closing(Program(sys.executable, *command, typed=typed)))
        yield start


def test_watcher__is_below_80_lines():
    assert len(WATCHER.read_text().splitlines()) < 80


def test_watcher__prints_every_change_once_and_in_order(run):
    with Broker() as broker, broker.client("lamp") as lamp:
        lamp.call("put", "before", "v")
        watcher = run(str(WATCHER), broker.request_endpoint, "adam", typed="eve\n")
        begin = int(watcher.line().removeprefix("watching after "))
        last = lamp.batch(*[("put", "k", f"{number}") for number in range(3000)])[-1]
        assert [int(watcher.line().split()[0]) for _ in range(3000)] == list(range(begin + 1, begin + 3001))
        assert begin + 3000 == last
        lamp.call("del", "k")
        assert watcher.line() == f"{last + 1} lamp del k None by lamp"


def test_watcher__goes_on_after_its_session_was_ended__without_a_hole(run):
    with Broker() as broker, broker.manager() as manager, broker.client("lamp") as lamp:
        watcher = run(str(WATCHER), broker.request_endpoint, "adam", typed="eve\n")
        begin = int(watcher.line().removeprefix("watching after "))
        (number,) = [entry["id"] for entry in manager.call("clients")["clients"]
                     if entry["role"] == "manager" and entry["id"] != manager.call("hello")["client"]]
        manager.call("role", number, "guest")
        last = lamp.call("put", "k", "v")
        seqs = []
        while not seqs or seqs[-1] < last:
            line = watcher.line()
            if line.startswith("watching"):
                assert line == f"watching after {seqs[-1] if seqs else begin}"
            else:
                seqs.append(int(line.split()[0]))
        assert seqs == list(range(begin + 1, begin + 1 + len(seqs)))


def test_watcher__says_reset_after_a_new_start_of_the_broker(run):
    with Broker() as first, first.client("lamp") as lamp:
        events, requests = first.event_endpoint, first.request_endpoint
        watcher = run(str(WATCHER), requests, "adam", typed="eve\n")
        watcher.line()
        revision = lamp.call("put", "k", "v")
        watcher.line()
        assert watcher.line() == f"{revision} lamp put k v by lamp"
    with Broker(requests=[requests], events=[events]) as second:
        lines = [watcher.line()]
        while not lines[-1].startswith("reset"):
            lines.append(watcher.line())
        watcher.line()
        with second.client("lamp") as lamp:
            lamp.call("put", "k", "w")
            assert watcher.line().split()[1:3] == ["lamp", "connect"]
            assert watcher.line().endswith("lamp put k w by lamp")


def test_watcher__with_a_wrong_password__says_so_and_ends(run):
    with Broker() as broker:
        watcher = run(str(WATCHER), broker.request_endpoint, "adam", typed="wrong\n")
        assert watcher.process.wait(TIMEOUT) == 1
        assert watcher.process.stderr.read() == "wrong user or password\n"
