# SPDX-License-Identifier: MPL-2.0
"""A connection that is cut again and again at one kind of request. The library repeats the request in a new session with the
same broker: reading goes on, and the mirror is complete at the end."""

import collections
import contextlib
import itertools

from broker import DEFAULT_ACCOUNT, Broker
from relay import Relay
from waiting import wait_until
from watchers import Library


class Cutter(Relay):
    """Cuts the connection instead of passing on every EVERYth request for METHOD."""

    def __init__(self, endpoint, method, every):
        self.method, self.every = method, every
        self.asked = collections.Counter()  # number of requests for each method
        self.cuts = 0
        super().__init__(endpoint)

    def passes(self, data):
        for method in ("entry", "events", "list"):
            self.asked[method] += data.count(bytes([0xa0 + len(method)]) + method.encode())  # MessagePack
        if self.asked[self.method] // self.every == self.cuts:
            return True
        self.cuts = self.asked[self.method] // self.every
        return False


@contextlib.contextmanager
def mirroring(broker, cutter):
    """A mirror that connects through CUTTER and has begun its stream. Its `finish` returns its final state."""
    watcher = Library("library", broker.folder, cutter.endpoint, DEFAULT_ACCOUNT)
    watcher.start()
    try:
        wait_until(watcher.last, what="the beginning of the stream")
        yield watcher
    finally:
        watcher.end()


def test_mirror__cut_at_every_40th_value_that_it_reads__has_every_value():
    with Broker(options={"events/inline": 50}) as broker, broker.manager("boss") as manager, broker.client("lamp") as lamp, \
            Cutter(broker.request_endpoint, "entry", 40) as cutter, mirroring(broker, cutter) as watcher:
        # One of the watch and two of the mirror, the second at the end of its reading. Later puts come as events.
        wait_until(lambda: cutter.asked["events"] >= 3, what="the mirror has read the state")
        numbers = itertools.count()

        def put_more():
            lamp.batch(*[("put", f"k{number}", f"{number} " * 40) for number in itertools.islice(numbers, 20)])
            return cutter.cuts >= 10

        wait_until(put_more, what="ten connections have been cut")
        told = watcher.finish(manager.call("events")["seq"])
        assert cutter.cuts == cutter.asked["entry"] // 40
        assert told["digests"] == {"lamp": lamp.call("digest")["digest"]}


def test_state__cut_at_every_2nd_page__is_read_to_its_end():
    with Broker() as broker, broker.manager("boss") as manager, broker.client("lamp") as lamp:
        for begin in range(0, 8000, 1000):
            lamp.batch(*[("put", f"k{number}", "v") for number in range(begin, begin + 1000)])
        with Cutter(broker.request_endpoint, "list", 2) as cutter, mirroring(broker, cutter) as watcher:
            told = watcher.finish(manager.call("events")["seq"])
            assert cutter.cuts >= 4
        assert told["digests"] == {"lamp": lamp.call("digest")["digest"]}
