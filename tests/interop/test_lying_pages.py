# SPDX-License-Identifier: MPL-2.0
"""Pages of a broken broker: whoever asks for page after page comes to an end, and says why."""

import contextlib

import pytest

from broker import Broker
from liar import Liar
from rpc import pack, unpack_all
from tool import Tool


@pytest.fixture(scope="module")
def broker():
    with Broker() as running, running.client("lamp") as lamp:
        for key in ("a", "b", "c"):
            lamp.call("put", key, "v")
        yield running


# Each is given the rows of the first page, and how many pages were lied about before.


def nothing(rows, before):
    """No rows, and more behind them, for ever."""
    return []


def nothing_behind_the_first(rows, before):
    return [] if before else rows


def the_same_again(rows, before):
    """A page that repeats for ever: the second one is not behind the first."""
    return rows


def backwards(rows, before):
    return rows[::-1]


def twice(rows, before):
    return rows * 2


class PageLiar(Liar):
    """Says of each page of METHOD's, but for the first HONEST ones, that more follows, and tells lies about its rows."""

    def __init__(self, method, lie, honest=0):
        super().__init__()
        self.method, self.lie, self.honest = method, lie, honest
        self.first = None  # rows of the first page

    def answer(self, methods, payload):
        messages = unpack_all(payload)
        answered = [message for message in messages if message[0] == 1]
        for method, message in zip(methods, answered):
            if method != self.method or not message[3]:
                continue
            rows = "entries" if method == "list" else "clients"
            self.first = self.first or message[3][rows]
            if self.honest == 0:
                message[3] = {**message[3], rows: self.lie(self.first, self.told), "more": True}
                self.told += 1
            self.honest = max(0, self.honest - 1)
        return b"".join(map(pack, messages))


class SeqLiar(Liar):
    """Says that each list is of a time that never comes."""

    def answer(self, methods, payload):
        messages = unpack_all(payload)
        answered = [message for message in messages if message[0] == 1]
        for method, message in zip(methods, answered):
            if method == "list" and message[3]:
                message[3] = {**message[3], "seq": 2**62}
                self.told += 1
        return b"".join(map(pack, messages))


@contextlib.contextmanager
def lying(broker, *arguments, kind=PageLiar):
    with contextlib.closing(kind(*arguments)) as liar:
        liar.aim(broker.request_endpoint)
        liar.start()
        yield liar


@pytest.mark.parametrize("lie", [nothing, nothing_behind_the_first, the_same_again, backwards, twice])
@pytest.mark.parametrize("method, honest, command", [("list", 0, ("manage", "lamp", "list")), ("clients", 0, ("clients",)),
                                                     ("clients", 1, ("verify",))])  # its copy asks for them first
def test_page__that_is_not_the_next_one__is_refused(broker, tmp_path, lie, method, honest, command):
    with lying(broker, method, lie, honest) as liar:
        done = Tool(liar.endpoint, tmp_path).run("-u", "adam", *command, KVZMQ_PASSWORD="eve")
        assert liar.told
    assert done.returncode == 6 and b"PROTOCOL: " in done.stderr and b"not the next one in order" in done.stderr


def test_verify__of_a_copy_that_never_becomes_whole__gives_up_and_says_why(broker, tmp_path):
    with lying(broker, kind=SeqLiar) as liar:
        done = Tool(liar.endpoint, tmp_path).run("-u", "adam", "-t", "2", "verify", KVZMQ_PASSWORD="eve")
        assert liar.told
    assert (done.returncode, done.stdout) == (4, b""), done
    assert b"TIMEOUT: the copy has not grown for 12 s and is not whole" in done.stderr
