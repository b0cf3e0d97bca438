# SPDX-License-Identifier: MPL-2.0
"""Readers of events: a SUB socket with a ticket, a raw connection, and a watcher that follows the recipe of PROTOCOL.md 6.2.
They use only pyzmq, msgpack and client.py, but not libkvzmq."""

import time

import zmq

from client import Client, context
from closing import Closing
from managing import clients_of
from raw_peer import GREETING_SIZE, RawPeer
from rpc import RpcError, unpack_all
from stores import as_bytes, entries_of
from waiting import TIMEOUT

EVENT_KEYS = ["seq", "prev", "time_ms", "kind", "client", "key", "value", "size", "ttl_ms", "revision", "by", "user"]
DATA_KINDS = ("put", "del", "expire")
KINDS = (*DATA_KINDS, "connect", "disconnect", "role", "drop")
ENDS = ("bye", "lost", "timeout", "slow", "memory", "forgotten", "revoked", "shutdown")
SILENCE = 3.0  # seconds without a sync after which a watcher begins a new session


def check_event(event):
    """Checks that an event has exactly the form of PROTOCOL.md 6.1, and returns it."""
    assert sorted(event) == sorted(EVENT_KEYS), event
    kind = event["kind"]
    assert kind in KINDS, event
    assert isinstance(event["seq"], int) and 0 <= event["prev"] < event["seq"], event
    assert isinstance(event["time_ms"], int) and isinstance(event["client"], str) and event["client"], event
    assert isinstance(event["key"], str) if kind in DATA_KINDS else event["key"] is None, event
    if kind == "put":
        assert event["revision"] == event["seq"] and isinstance(event["size"], int), event
        assert event["value"] is None or len(as_bytes(event["value"])) == event["size"], event
        assert event["ttl_ms"] is None or event["ttl_ms"] > 0, event
    else:
        assert (event["revision"], event["size"], event["ttl_ms"]) == (None, None, None), event
        values = {"disconnect": ENDS, "role": ("guest", "manager")}.get(kind, (None,))
        assert event["value"] in values, event
    assert event["by"] is None or isinstance(event["by"], str) and event["by"], event
    assert event["user"] is None or isinstance(event["user"], str) and event["user"], event
    if kind == "expire":
        assert (event["by"], event["user"]) == (None, None), event
    return event


class NothingPublished(TimeoutError):
    pass


class Subscriber(Closing):
    """A SUB socket with the credentials in TICKET, which is the answer to `events`."""

    def __init__(self, ticket, topics=("",), endpoint=None, sockopt=None):
        self.socket = context().socket(zmq.SUB)
        self.socket.setsockopt(zmq.LINGER, 0)
        for option, value in (sockopt or {}).items():
            self.socket.setsockopt(option, value)
        if ticket.get("username") is not None:
            self.socket.plain_username = ticket["username"].encode()
            self.socket.plain_password = ticket["password"].encode()
        for topic in topics:
            self.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        self.socket.connect(endpoint or ticket["endpoint"])

    def subscribe(self, topic):
        self.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())

    def recv(self, timeout=TIMEOUT):
        """Returns the next ("event" or "sync", map) and checks its form exactly. Raises TimeoutError if none comes."""
        if not self.socket.poll(int(timeout * 1000)):
            raise NothingPublished(f"nothing was published within {timeout:g} s")
        topic, payload = self.socket.recv_multipart()
        ((number, method, params),) = unpack_all(payload)
        assert number == 2 and len(params) == 1, (number, method, params)
        content = params[0]
        if method == "sync":
            assert topic == b"/" and sorted(content) == ["epoch", "seq", "time_ms"], (topic, content)
        else:
            assert method == "event" and topic == content["client"].encode() + b"/", (topic, method, content)
            check_event(content)
        return method, content

    def sync(self, timeout=TIMEOUT):
        """Returns the next sync. Discards events before it."""
        deadline = time.monotonic() + timeout
        while True:
            method, content = self.recv(max(0.0, deadline - time.monotonic()))
            if method == "sync":
                return content

    def event(self, timeout=TIMEOUT):
        """Returns the next event. Discards syncs before it."""
        deadline = time.monotonic() + timeout
        while True:
            method, content = self.recv(max(0.0, deadline - time.monotonic()))
            if method == "event":
                return content

    def until(self, wanted, timeout=TIMEOUT):
        """Returns the events up to and including the first one for which WANTED is true."""
        deadline = time.monotonic() + timeout
        events = []
        while not events or not wanted(events[-1]):
            events.append(self.event(max(0.0, deadline - time.monotonic())))
        return events

    def silent(self, seconds):
        return not self.socket.poll(int(seconds * 1000))

    def close(self):
        self.socket.close(0)


def subscribed(manager, topics=("",), **keywords):
    """Returns a Subscriber with a ticket of MANAGER that has received a sync, so its subscriptions are in effect."""
    subscriber = Subscriber(manager.call("events"), [*topics, "/"] if "" not in topics else topics, **keywords)
    subscriber.sync()
    return subscriber


class RawSubscriber(RawPeer):
    """A ZMTP connection to the event socket with the credentials in TICKET, byte by byte."""

    def __init__(self, ticket, **keywords):
        super().__init__(ticket["endpoint"], handshake=False, **keywords)
        self.send(self.greeting(b"PLAIN"))
        self.read(GREETING_SIZE)
        self.send(self.hello(ticket))
        self.read_command(b"\x07WELCOME")
        self.send(self.initiate())
        self.read_command(b"\x05READY")

    @classmethod
    def hello(cls, ticket):
        user, password = ticket["username"].encode(), ticket["password"].encode()
        return cls.command(b"\x05HELLO" + bytes([len(user)]) + user + bytes([len(password)]) + password)

    @classmethod
    def initiate(cls, kind=b"SUB"):
        return cls.command(b"\x08INITIATE" + cls.metadata(b"Socket-Type", kind))

    def subscribe(self, topic=b""):
        self.send_frame(b"\x01" + topic)

    def message(self):
        """Returns the frames of the next message."""
        frames = []
        while True:
            flags, body = self.read_frame()
            frames.append(body)
            if not flags & self.MORE:
                return frames


class Watcher:
    """The recipe of PROTOCOL.md 6.2 with a copy of all stores. It runs in the caller's thread, by calls of `step`.

    on_event(event)  called for every event after `seq`, in order
    on_reset(seq)    called after all stores were read again: the next event is seq + 1
    stores           {client: {key: (value, revision)}}
    """

    def __init__(self, endpoint, account, on_event, on_reset, since=None, events_endpoint=None, sockopt=None,
                 patience=TIMEOUT):
        self.endpoint, self.account, self.events_endpoint = endpoint, account, events_endpoint
        self.on_event, self.on_reset = on_event, on_reset
        self.sockopt, self.patience = sockopt, patience
        self.seq, self.epoch = since or (None, None)
        self.stores = {}
        self.have_stores = False
        self.manager = self.subscriber = None
        self.replays = self.begun = 0
        self.synced = self.pinged = 0.0
        self.asked = False

    def close(self):
        for socket in (self.manager, self.subscriber):
            if socket:
                socket.close()
        self.manager = self.subscriber = None

    # -- the session

    def begin(self):
        """Begins a new session with a new ticket and a new SUB socket."""
        self.close()
        self.begun += 1
        self.manager = Client(self.endpoint, timeout=self.patience)
        self.manager.call("auth", *self.account)
        ticket = self.manager.call("events")
        self.subscriber = Subscriber(ticket, [""], self.events_endpoint, self.sockopt)
        self.synced = self.pinged = time.monotonic()
        self.asked = False
        if self.seq is None or ticket["epoch"] != self.epoch:
            self.read_anew()
        elif not self.have_stores:
            self.read_stores()

    def step(self, wait=0.1):
        """Handles what has come; waits at most WAIT seconds for it. If the session does not answer, begins a new one."""
        try:
            if not self.subscriber or time.monotonic() - self.synced > SILENCE:
                self.begin()
            if time.monotonic() - self.pinged > 1.0:
                self.pinged = time.monotonic()
                self.manager.call("ping")
            if self.subscriber.socket.poll(int(wait * 1000)):
                for _ in range(500):
                    self.take(*self.subscriber.recv(0))
        except NothingPublished:
            pass
        except TimeoutError:
            self.close()
        except RpcError as error:
            if error.code not in ("PERMISSION_DENIED", "UNAUTHENTICATED"):
                raise
            self.close()

    def take(self, method, content):
        if method == "sync":
            self.synced = time.monotonic()
            self.asked = False
            if content["epoch"] != self.epoch:
                self.read_anew()
            elif content["seq"] > self.seq:
                self.replay(content["seq"])
        elif content["seq"] == self.seq + 1:
            self.apply(content)
        elif content["seq"] > self.seq:
            self.replay(content["seq"])

    def replay(self, until):
        if self.asked:
            return
        self.asked = True
        self.replays += 1
        try:
            while self.seq < until:
                page = self.manager.call("replay", self.seq, {"epoch": self.epoch})
                for event in page["events"]:
                    self.apply(check_event(event))
                self.seq = page["seq"]
        except RpcError as error:
            if error.code != "OUT_OF_RANGE":
                raise
            self.read_anew()

    # -- the copy

    def read_anew(self):
        page = self.manager.call("events")
        self.read_stores()
        self.seq, self.epoch = page["seq"], page["epoch"]
        self.on_reset(self.seq)

    def read_stores(self):
        """Reads all stores. Changes made meanwhile come as events; revisions tell whether an event is newer than the copy."""
        stores = {}
        for client in clients_of(self.manager):
            stores[client] = self.read_store(client)
        self.stores = stores
        self.have_stores = True

    def read_store(self, client):
        try:
            return {key: (value, revision) for key, value, revision, _ in entries_of(self.manager, of=client)}
        except RpcError as error:
            if error.code != "NOT_FOUND":
                raise
            return {}

    def apply(self, event):
        kind, client, seq = event["kind"], event["client"], event["seq"]
        store = self.stores.setdefault(client, {})
        if kind == "put":
            key, value = event["key"], event["value"]
            if key not in store or store[key][1] < seq:
                store[key] = (self.value_of(client, key, seq) if value is None else value, seq)
        elif kind in ("del", "expire"):
            if event["key"] in store and store[event["key"]][1] < seq:
                del store[event["key"]]
        elif kind == "drop":
            self.stores[client] = {key: entry for key, entry in store.items() if entry[1] > seq}
        self.seq = seq
        self.on_event(event)

    def value_of(self, client, key, revision):
        """Reads a value that its event left out. If it has changed since, returns b"": a later event brings the new value."""
        try:
            entry = self.manager.call("manage", client, "entry", key)
        except RpcError as error:
            if error.code != "NOT_FOUND":
                raise
            entry = None
        return entry["value"] if entry and entry["revision"] == revision else b""
