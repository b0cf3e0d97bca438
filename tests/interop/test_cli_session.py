# SPDX-License-Identifier: MPL-2.0
"""The session of kvzmq-cli while it waits at the prompt: it is kept alive, and if it is lost the tool says so at once."""

import os
import re
import signal

import pytest

from broker import Broker
from front import Front
from terminal import KILL_LINE, status_of
from tool import Tool
from waiting import TIMEOUT, wait_until


@pytest.fixture
def brief():
    """A broker that ends a session after 3 s of silence. On a busy machine, too, pings come more often."""
    with Broker(options={"session/timeout": 3}) as running:
        yield running


def at_prompt(broker, folder, *arguments):
    running = Tool(broker.request_endpoint, folder).terminal(*arguments)
    running.client = running.prompt()[0].split(" ")[-1]
    return running


def wait_out(broker):
    """Begins a session and waits until the broker has ended it because it was silent."""
    with broker.client() as silent:
        number = silent.whoami()
        broker.wait_log(rf"\b{number}\b.*timeout")


@pytest.mark.parametrize("half", ["", "get ci"])
def test_session__while_the_prompt_waits__is_kept(brief, tmp_path, half):
    with at_prompt(brief, tmp_path) as running:
        running.type("put city Kolkata")
        running.type("auth adam eve")
        running.press(half)
        wait_out(brief)
        wait_out(brief)
        running.press(KILL_LINE)
        assert running.type("get city") == ["Kolkata"]
        assert running.type(f"manage {running.client} get city") == ["Kolkata"]


def test_session__while_it_asks_for_a_password__is_kept(brief, tmp_path):
    with at_prompt(brief, tmp_path) as running:
        running.type("put city Kolkata")
        running.press("auth adam\n")
        running.wait(r"Password of adam: \Z")
        wait_out(brief)
        wait_out(brief)
        running.press("eve\n")
        running.wait("Authentication success\n> \\Z")
        assert running.type("get city") == ["Kolkata"]


def test_session__while_the_next_line_of_a_pipe_is_late__is_kept(brief, tmp_path):
    running = Tool(brief.request_endpoint, tmp_path).start()
    running.stdin.write(b"put city Kolkata\n")
    running.stdin.flush()
    assert b"Kolkata" in running.stdout.readline()
    wait_out(brief)
    wait_out(brief)
    shown, problems = running.communicate(b"get city\n", TIMEOUT)
    assert (shown, problems) == (b"Kolkata\n", b"")


def test_session__beside_a_watch_of_all_stores__is_kept(brief, tmp_path):
    with at_prompt(brief, tmp_path) as running:
        running.type("put city Kolkata")
        running.type("auth adam eve")
        running.type("watch nobody")
        wait_out(brief)
        running.press("get city\n")
        running.wait("^Kolkata\n")
        assert "new client" not in running.seen


def test_session__tool_stopped_for_longer_than_that__says_at_once_what_went_with_it(brief, tmp_path):
    with at_prompt(brief, tmp_path) as running:
        running.type("auth adam eve")
        running.press("put half")
        running.wait("put half$")
        os.kill(running.process.pid, signal.SIGSTOP)
        wait_until(lambda: status_of(running.process.pid, "State") == "T")
        brief.wait_log(rf"\b{running.client}\b.*timeout")
        os.kill(running.process.pid, signal.SIGCONT)
        running.wait("The broker ended the session: timeout\nConnected again as client ([0-9]+), in a new session\n"
                     "You are a guest again: auth USER makes you a manager\nThis is a new client, \\1, with an empty store\n")
        running.prompt("put half")


@pytest.mark.parametrize("arguments, typed, lost", [
    ((), ["auth adam eve"], "The store of client {client} and the role of adam are gone; the next command connects again"),
    ((), [], "The store of client {client} is gone; the next command connects again"),
    (("-n", "lamp"), ["auth adam eve"], "The role of adam is gone; the next command connects again"),
    (("-n", "lamp"), [], "The next command connects again"),
])
def test_broker__killed_while_a_line_is_half_typed__is_told_at_once_and_the_line_stays(tmp_path, arguments, typed, lost):
    with Broker(requests=[f"ipc://{tmp_path}/r"]) as first:
        running = at_prompt(first, tmp_path, *arguments)
        for line in typed:
            running.type(line)
        running.press("put ha")
        running.wait("put ha$")
        first.process.kill()
        running.wait(re.escape(f"The connection to ipc://{tmp_path}/r is lost: has the broker ended?\n" +
                               lost.format(client=running.client)) + r"\n> put ha\Z")
        first.process.wait()
        first.process.returncode = 0  # the kill was intended; `stop` wants 0
    with running, Broker(requests=[f"ipc://{tmp_path}/r"]):
        running.press("ppy 1\n")
        shown = running.prompt()
        assert shown[-1] == "Successfully set happy as 1" and any("Connected again" in line for line in shown), shown
        assert any("a guest again" in line for line in shown) == bool(typed), shown
        assert any("This is a new client" in line for line in shown) == (not arguments), shown
        assert running.type("get happy") == ["1"]


def test_broker__stops__is_told_at_once(tmp_path):
    with Broker() as broker:
        running = at_prompt(broker, tmp_path)
        running.press("put ha")
        running.wait("put ha$")
    with running:
        running.wait("The broker ended the session: shutdown\nThe store of client "
                     rf"{running.client} is gone; the next command connects again\n> put ha\Z")
        running.press(KILL_LINE)
        assert any(line.startswith("UNREACHABLE: ") for line in running.type("get k"))
        assert running.type("help get")[0] == "Usage: get KEY"
        assert running.seen.count("The store of client") == 1


def test_broker__that_does_not_answer_the_sign_of_life__does_not_hold_up_what_is_typed(brief, tmp_path):
    with Front() as front, brief.client() as behind, Tool(front.endpoint, tmp_path).terminal("-t", "60") as running:
        front.forward(behind)  # hello
        running.prompt()
        front.wait_asked()  # it sends a ping
        running.press("get city")
        running.wait("get city$")


def test_broker__that_does_not_answer_the_sign_of_life_in_time__is_told(brief, tmp_path):
    with Front() as front, brief.client() as behind, Tool(front.endpoint, tmp_path).terminal("-t", "0.5", "-n", "lamp") as running:
        front.forward(behind)  # hello
        running.prompt()
        running.press("get city")
        running.wait(rf"The connection to {front.endpoint} is lost: the broker does not answer\nThe next command connects again\n> get city\Z")
