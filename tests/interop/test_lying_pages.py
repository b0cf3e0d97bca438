# SPDX-License-Identifier: MPL-2.0
"""Pages of a broken broker: a reader of page after page does not loop forever, and says why it gives up."""

import pytest

from broker import Broker
from liar import Forger
from tool import Tool


@pytest.fixture(scope="module")
def broker():
    with Broker() as running, running.client("lamp") as lamp:
        for key in ("a", "b", "c"):
            lamp.call("put", key, "v")
        yield running


# The lies. Each is given the rows of the first page and the number of false pages before this one.


def nothing(rows, before):
    """No rows, but more to follow, forever."""
    return []


def nothing_behind_the_first(rows, before):
    return [] if before else rows


def the_same_again(rows, before):
    """The same page forever: its rows do not follow those of the page before."""
    return rows


def backwards(rows, before):
    return rows[::-1]


def twice(rows, before):
    return rows * 2


class Pages:
    """Falsifies the rows of every page after the first HONEST ones, and says that more follow."""

    def __init__(self, lie, honest):
        self.lie, self.honest = lie, honest
        self.first = None  # rows of the first page
        self.told = 0

    def __call__(self, page):
        rows = "entries" if "entries" in page else "clients"
        self.first = self.first or page[rows]
        if self.honest > 0:
            self.honest -= 1
            return None, page
        self.told += 1
        return None, {**page, rows: self.lie(self.first, self.told - 1), "more": True}


def never(page):
    """A list as of a seq that is never reached."""
    return None, {**page, "seq": 2**62}


@pytest.mark.parametrize("lie", [nothing, nothing_behind_the_first, the_same_again, backwards, twice])
@pytest.mark.parametrize("method, honest, command", [("list", 0, ("manage", "lamp", "list")), ("clients", 0, ("clients",)),
                                                     ("clients", 1, ("verify",))])  # its copy asks for the clients first
def test_page__that_is_not_the_next_one__is_refused(broker, tmp_path, lie, method, honest, command):
    with Forger(broker, method, Pages(lie, honest)) as liar:
        done = Tool(liar.endpoint, tmp_path).as_manager(*command)
        assert liar.forge.told
    assert done.returncode == 6 and b"PROTOCOL: " in done.stderr and b"not the next one in order" in done.stderr


def test_verify__of_a_copy_that_never_becomes_whole__gives_up_and_says_why(broker, tmp_path):
    with Forger(broker, "list", never) as liar:
        done = Tool(liar.endpoint, tmp_path).as_manager("-t", "2", "verify")
        assert liar.told
    assert (done.returncode, done.stdout) == (4, b""), done
    assert b"TIMEOUT: the copy has not grown for 12 s and is not complete" in done.stderr
