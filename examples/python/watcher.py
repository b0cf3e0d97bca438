#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Prints every change of a fleet, none twice and none missing, with plain pyzmq and msgpack: the recipe of
common/PROTOCOL.md 6.2. Asks for the manager's password: watcher.py tcp://127.0.0.1:5000 adam"""
import getpass
import sys
import time
import msgpack
import zmq

class Watcher:
    def __init__(self, endpoint, user, password):
        self.endpoint, self.account = endpoint, (user, password)
        self.context, self.epoch, self.seq = zmq.Context(), None, None  # seq: how far the changes were seen

    def call(self, method, *params):
        self.requests.send(msgpack.packb([0, 1, method, params]))
        while self.requests.poll(3000):
            answer = msgpack.unpackb(self.requests.recv())
            if answer[0] != 1:
                continue  # a notification
            _, _, error, result = answer
            if error and error[0] == "UNAUTHENTICATED":
                sys.exit(error[1])
            if error:
                raise LookupError if error[0] == "OUT_OF_RANGE" else ConnectionError(error[1])
            return result
        raise ConnectionError("no answer")

    def connect(self):
        """A session, its ticket, and a new SUB socket with that: one whose ticket went void stays silent."""
        self.context.destroy(linger=0)
        self.context = zmq.Context()
        self.requests, self.events = self.context.socket(zmq.DEALER), self.context.socket(zmq.SUB)
        self.requests.connect(self.endpoint)
        self.call("auth", *self.account)
        ticket = self.call("events")
        self.events.plain_username, self.events.plain_password = ticket["username"].encode(), ticket["password"].encode()
        self.events.subscribe("")
        self.events.connect(ticket["endpoint"])
        if self.seq is None:
            self.epoch, self.seq = ticket["epoch"], ticket["seq"]
        print(f"watching after {self.seq}", flush=True)

    def apply(self, event):
        self.seq = event["seq"]
        print(*(event[name] for name in ("seq", "client", "kind", "key", "value")), "by", event["by"], flush=True)

    def replay(self, until):
        while self.seq < until:
            page = self.call("replay", self.seq, {"epoch": self.epoch})
            for event in page["events"]:
                self.apply(event)
            self.seq = page["seq"]

    def follow(self):
        while self.events.poll(3000):  # a sync comes every second: without one this connection is dead
            _, method, (content,) = msgpack.unpackb(self.events.recv_multipart()[1])
            if method == "sync" and content["epoch"] != self.epoch:
                raise LookupError  # the broker was started anew
            if method == "event" and content["seq"] == self.seq + 1:
                self.apply(content)
            else:
                self.replay(content["seq"])  # of a hole, or of what a sync says is missing; else there is nothing to do
            if method == "sync":
                self.call("ping")  # keeps the session alive

if __name__ == "__main__":
    watcher = Watcher(*sys.argv[1:3], getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n"))
    while True:
        try:
            watcher.connect()
            watcher.follow()
        except LookupError:  # what is between is not kept any more: an application would read the stores anew
            print("reset", flush=True)
            watcher.seq = None
        except ConnectionError as problem:
            print(f"trying again: {problem}", file=sys.stderr)
            time.sleep(1)
