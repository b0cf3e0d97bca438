# SPDX-License-Identifier: MPL-2.0
"""Clients that copy their own store with kvzmq_on_change, in processes of their own (own_program.c)."""

from broker import DEFAULT_ACCOUNT
from project import build_folder
from rpc import RpcError
from stores import entries_of
from waiting import wait_until
from watchers import WatchProcess, checksum


class Owner(WatchProcess):
    """own_program.c across its restarts. The C file describes the lines of the stream."""

    def __init__(self, name, folder, relay, chance):
        super().__init__(name, folder, relay.endpoint, DEFAULT_ACCOUNT)
        self.relay, self.chance = relay, chance

    def command(self, since):
        seed = self.chance.randrange(2**32)
        return [str(build_folder() / "tests" / "own_program"), self.endpoint, self.name, str(self.path), str(seed), *map(str, since or ())]

    def position(self):
        """Returns (seq, epoch) of the last change that it was told, or None if it has to read the store."""
        found = None
        for line in self.lines():
            if line[0] in ("reset", "begin"):
                found = None
            elif line[0] == "listed":
                found = (int(line[1]), line[2])
            elif line[0] == "told" and found:
                found = (int(line[1]), found[1])
        return found

    def back(self):
        """Starts it again at its last position."""
        self.start(self.position())

    def is_at(self, seq):
        """Whether it was told of SEQ, or has read the store since then."""
        position = self.position()
        return position and position[0] >= seq

    def rest(self):
        """Asks it to make no more changes of its own."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def settle(self, manager):
        """Waits until it rests and has all changes. Returns its copy, and what the broker has in the same form."""
        wait_until(lambda: ["quiet"] in self.lines(), what=f"{self.name} is quiet")
        wait_until(lambda: all(row[3] is None for row in self.entries(manager)), what="keys with a ttl expire")
        end = manager.call("manage", self.name, "put", "end", "v", {"create": True})
        wait_until(lambda: self.is_at(end), what=f"{self.name} has all changes")
        there = {key: (revision, checksum(value)) for key, value, revision, _ in self.entries(manager)}
        return copy_of(self.lines()), there

    def entries(self, manager):
        """Returns what the broker has of its store: nothing if there is no such client."""
        try:
            return entries_of(manager, of=self.name)
        except RpcError:
            return []


def copy_of(lines):
    """Returns the copy that the lines of an owner make by the rule of kvzmq_on_change: {key: (revision, checksum)}."""
    copy, known, pages = {}, {}, []

    def is_news(key, seq):
        read = [as_of for after, last, as_of in pages if (after == "-" or key > after) and (last == "-" or key <= last)]
        news = seq > max([known.get(key, 0), *read])
        if news:
            known[key] = seq
        return news

    for line in lines:
        if line[0] == "begin":
            copy, known, pages = {}, {}, []
        elif line[0] == "row":
            copy[line[1]] = (int(line[2]), line[3])
        elif line[0] == "page":
            pages.append((line[1], line[2], int(line[3])))
        elif line[0] in ("told", "own"):
            seq, kind, key, value = (line[i] for i in ((1, 2, 3, 4) if line[0] == "told" else (3, 1, 2, 4)))
            if is_news(key, int(seq)):
                copy.pop(key, None)
                if kind == "put":
                    copy[key] = (int(seq), value)
    return copy
