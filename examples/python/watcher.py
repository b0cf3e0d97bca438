#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Prints all entries of all stores, then every change exactly once, with plain pyzmq and msgpack. It follows the recipe
of common/PROTOCOL.md 6.2. Asks for the manager's password: watcher.py tcp://127.0.0.1:5000 adam"""
import getpass
import sys
import msgpack
import zmq

class Watcher:
    def __init__(self, endpoint, user, password):
        self.endpoint, self.account = endpoint, (user, password)
        self.epoch, self.seq, self.msgid = None, None, 0  # the last change seen; None: read the stores first

    def call(self, method, *params):
        self.msgid += 1
        self.requests.send(msgpack.packb([0, self.msgid, method, params]))
        while self.requests.poll(3000):
            kind, msgid, *answer = msgpack.unpackb(self.requests.recv())
            if kind != 1 or msgid != self.msgid:
                continue  # a notification, or the answer to a former request
            error, result = answer
            if error and error[0] != "NOT_FOUND":
                raise {"UNAUTHENTICATED": SystemExit, "OUT_OF_RANGE": LookupError}.get(error[0], ConnectionError)(error[1])
            return result or {"entries": [], "more": False}  # NOT_FOUND: the client has just left
        raise ConnectionError("no answer")

    def items(self, name, *request):
        page, options = {"more": True}, {}
        while page["more"]:
            page = self.call(*request, options)
            yield from page[name]
            options = {"after": item["id"] if name == "clients" else item[0] for item in page[name][-1:]}

    def read(self):
        self.revisions = {}  # of the entries read: they include all older changes
        for client in self.items("clients", "clients"):
            for key, value, revision, _ in self.items("entries", "manage", client["id"], "list", ""):
                self.revisions[client["id"], key] = revision
                print("-", client["id"], "holds", key, value, flush=True)

    def apply(self, event):
        self.seq = event["seq"]
        if self.seq > self.revisions.get((event["client"], event["key"]), 0):
            print(*(event[name] for name in ("seq", "client", "kind", "key", "value")), "by", event["by"], flush=True)

    def watch(self):
        zmq.Context.instance().destroy(linger=0)
        self.requests, events = (zmq.Context.instance().socket(kind) for kind in (zmq.DEALER, zmq.SUB))
        self.requests.connect(self.endpoint)
        self.call("auth", *self.account)
        ticket = self.call("events")
        if ticket["epoch"] != self.epoch:  # the broker was restarted
            self.epoch, self.seq = ticket["epoch"], None
        events.plain_username, events.plain_password = ticket["username"].encode(), ticket["password"].encode()
        events.subscribe("")
        events.connect(ticket["endpoint"])  # a new socket each time: with a void ticket it stays silent
        while events.poll(3000):  # a sync comes every second: if none comes, the connection is dead
            _, method, (content,) = msgpack.unpackb(events.recv_multipart()[1])
            if method == "event" and content["seq"] - 1 == self.seq:
                self.apply(content)  # any other is old, or follows a gap, which the next sync shows
            if method == "sync" and self.seq is None:
                print(f"reset: what the stores hold, then changes after {content['seq']}", flush=True)
                self.read()
                self.seq = content["seq"]
            while method == "sync" and self.seq < content["seq"]:
                page = self.call("replay", self.seq, {"epoch": self.epoch})
                for event in page["events"]:
                    self.apply(event)
                self.seq = page["seq"]
            if method == "sync":
                self.call("ping")  # keeps the session alive

watcher = Watcher(*sys.argv[1:3], getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n"))
while True:
    try:
        watcher.watch()
    except LookupError:  # the broker does not keep the missed changes any more
        watcher.seq = None
    except ConnectionError as problem:
        print(f"trying again: {problem}", file=sys.stderr)
        watcher.requests.poll(1000)
