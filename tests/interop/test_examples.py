# SPDX-License-Identifier: MPL-2.0
"""The examples do what they say."""

import contextlib
import signal
import subprocess
import sys

import pytest

from broker import Broker
from project import REPOSITORY
from running import Running
from waiting import TIMEOUT

WATCHER = REPOSITORY / "examples" / "python" / "watcher.py"


class Program(Running):
    """An example program with TYPED as its standard input."""

    def __init__(self, *command, typed=""):
        super().__init__(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                          text=True))
        self.process.stdin.write(typed)
        self.process.stdin.close()


@pytest.fixture
def run():
    with contextlib.ExitStack() as stack:
        def start(*command, typed=""):
            return stack.enter_context(Program(sys.executable, *command, typed=typed))
        yield start


def test_watcher__is_below_90_lines():
    assert len(WATCHER.read_text().splitlines()) < 90


def begun(watcher):
    """Waits until the watcher begins, or starts over. Returns the seq after which it prints changes."""
    return int(line_with(watcher, "reset: what the stores hold, then changes after ").split()[-1])


def follows(watcher, lamp):
    """Waits until the watcher has read the stores and shows a change that LAMP makes. Returns the seq of that change."""
    begun(watcher)
    revision = lamp.call("put", "mark", "v")
    if line_with(watcher, "lamp put mark v by lamp", "lamp holds mark v").startswith("-"):
        revision = lamp.call("put", "mark", "w")
        line_with(watcher, "lamp put mark w by lamp")
    return revision


def line_with(watcher, *texts):
    """Returns the next line that contains one of TEXTS."""
    while True:
        line = watcher.line()
        if any(text in line for text in texts):
            return line


def read_up_to(watcher, last):
    """Returns the seqs of the changes that are printed next, up to LAST."""
    seqs = [int(watcher.line().split()[0])]
    while seqs[-1] < last:
        seqs.append(int(watcher.line().split()[0]))
    return seqs


def test_watcher__prints_what_there_is_then_every_change_once_and_in_order(run):
    with Broker() as broker, broker.client("lamp") as lamp, broker.client("other") as other:
        lamp.batch(*[("put", f"k{number:04}", f"{number}") for number in range(2500)])  # three pages
        other.call("put", "before", "v")
        watcher = run(str(WATCHER), broker.request_endpoint, "adam", typed="eve\n")
        begin = begun(watcher)
        assert [watcher.line() for _ in range(2500)] == [f"- lamp holds k{number:04} {number}" for number in range(2500)]
        assert watcher.line() == "- other holds before v"
        last = lamp.batch(*[("put", "k", f"{number}") for number in range(3000)])[-1]
        assert read_up_to(watcher, last) == list(range(begin + 1, begin + 3001))
        assert begin + 3000 == last
        lamp.call("del", "k")
        assert watcher.line() == f"{last + 1} lamp del k None by lamp"


def test_watcher__goes_on_after_its_session_was_ended__without_a_hole(run):
    with Broker() as broker, broker.manager() as manager, broker.client("lamp") as lamp:
        watcher = run(str(WATCHER), broker.request_endpoint, "adam", typed="eve\n")
        begin = follows(watcher, lamp)
        (number,) = [entry["id"] for entry in manager.call("clients")["clients"]
                     if entry["role"] == "manager" and entry["id"] != manager.whoami()]
        manager.call("role", number, "guest")
        last = lamp.call("put", "k", "v")
        assert read_up_to(watcher, last) == list(range(begin + 1, last + 1))


def test_watcher__stopped_until_the_log_is_overrun__reads_the_stores_anew(run):
    with Broker(options={"events/keep": 5}) as broker, broker.client("lamp") as lamp:
        watcher = run(str(WATCHER), broker.request_endpoint, "adam", typed="eve\n")
        follows(watcher, lamp)
        mark = lamp.call("get", "mark")
        watcher.process.send_signal(signal.SIGSTOP)
        for _ in range(40):  # far more than ZeroMQ and the kernel buffer for a reader that is stopped
            last = lamp.batch(*[("put", "k", "v" * 1000)] * 1000)[-1]
        lamp.call("put", "k", "last")
        watcher.process.send_signal(signal.SIGCONT)
        assert begun(watcher) > last
        assert watcher.line() == "- lamp holds k last"
        assert watcher.line() == f"- lamp holds mark {mark}"


def test_watcher__reads_the_stores_anew_after_a_new_start_of_the_broker(run):
    with Broker() as first, first.client("lamp") as lamp:
        events, requests = first.event_endpoint, first.request_endpoint
        watcher = run(str(WATCHER), requests, "adam", typed="eve\n")
        follows(watcher, lamp)
    with Broker(requests=[requests], events=[events]) as second, second.client("lamp") as lamp:
        seq = follows(watcher, lamp)
        assert lamp.call("put", "k", "w") == seq + 1
        assert watcher.line() == f"{seq + 1} lamp put k w by lamp"


def test_watcher__with_a_wrong_password__says_so_and_ends(run):
    with Broker() as broker:
        watcher = run(str(WATCHER), broker.request_endpoint, "adam", typed="wrong\n")
        assert watcher.process.wait(TIMEOUT) == 1
        assert watcher.process.stderr.read() == "wrong user or password\n"
