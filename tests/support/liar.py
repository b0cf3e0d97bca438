# SPDX-License-Identifier: MPL-2.0
"""A proxy between clients and a broker that falsifies some of the broker's answers when a test wants it."""

import threading

import msgpack
import zmq

from client import context
from closing import Closing
from rpc import pack, unpack_all
from waiting import wait_until

NONSENSE = (None, 0, 7, 2**64 - 1, "", "x", "x" * 3000, b"\xff", True, False, [], [[]], [None], {}, {"x": 1}, {7: 7}, 1.5)
WHOLE = ("hello", "ping", "watch", "entry")  # replace the whole result only: one changed field, such as a limit, could be valid


def nonsense(chance):
    return chance.choice(NONSENSE)


def lie_about_page(chance, result, rows):
    """Returns a page that is empty or repeats itself but has more, is not in order, or has a wrong row."""
    kind = chance.randrange(4)
    if kind == 0:
        return {**result, rows: [], "more": True}
    if kind == 1:
        return {**result, rows: result[rows][::-1]}
    if kind == 2:
        return {**result, rows: result[rows] * 2, "more": True}
    return {**result, rows: [*result[rows], nonsense(chance)]}


def lie_about(method, result, chance):
    kind = chance.randrange(4)
    if method in WHOLE or not isinstance(result, dict) or kind == 0:
        return nonsense(chance)
    name = chance.choice(sorted(result))
    if kind == 1:
        return {key: value for key, value in result.items() if key != name}
    if method == "events":
        endpoint = chance.choice(("inproc://kvzmq", "tcp://", "tcp://nobody:x", "ipc://", "x" * 255, "x" * 400, "tcp://127.0.0.1:1"))
        return {**result, "endpoint": endpoint} if kind == 2 else {**result, chance.choice(("username", "epoch")): nonsense(chance)}
    for rows in ("entries", "clients", "events"):
        if kind == 2 and isinstance(result.get(rows), list):
            return lie_about_page(chance, result, rows)
    return {**result, name: nonsense(chance)}


class Liar(Closing):
    """While `lies` is set, falsifies some answers, which CHANCE chooses. A derived class can override `answer`."""

    def __init__(self, chance=None):
        self.chance = chance
        self.lies = False
        self.told = 0  # number of lies
        self.target = None
        self.stopping = False
        self.endpoint = "tcp://127.0.0.1:*"
        self.front = None
        self._listen()
        self.behind = {}  # {routing id: socket to the broker}
        self.asked = {}  # {(routing id, msgid): method}
        self.thread = threading.Thread(target=self._run)

    def _listen(self):
        if self.front:
            self.front.close(0)
        self.front = context().socket(zmq.ROUTER)
        self.front.setsockopt(zmq.LINGER, 0)
        wait_until(self._binds, what="ZeroMQ has closed the previous socket")
        self.endpoint = self.front.get(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()

    def _binds(self):
        try:
            self.front.bind(self.endpoint)
        except zmq.ZMQError as error:
            assert error.errno == zmq.EADDRINUSE
            return False
        return True

    def aim(self, endpoint):
        self.target = endpoint

    def start(self):
        self.thread.start()

    def close(self):
        self.stopping = True
        if self.thread.ident:
            self.thread.join()
        for socket in (self.front, *self.behind.values()):
            socket.close(0)

    def _run(self):
        target = self.target
        while not self.stopping:
            if target != self.target:  # another broker: all connections are gone
                self._listen()
                for socket in self.behind.values():
                    socket.close(0)
                self.behind.clear()
                target = self.target
            poller = zmq.Poller()
            for socket in (self.front, *self.behind.values()):
                poller.register(socket, zmq.POLLIN)
            ready = dict(poller.poll(50))
            for identity, socket in list(self.behind.items()):
                if socket in ready:
                    payload = socket.recv()
                    methods = [self.asked.pop((identity, message[1]), None) for message in unpack_all(payload) if message[0] == 1]
                    self.front.send_multipart([identity, self.answer(methods, payload)])
            if self.front in ready:
                self._ask(*self.front.recv_multipart())

    def _ask(self, identity, payload):
        if identity not in self.behind:
            socket = self.behind[identity] = context().socket(zmq.DEALER)
            socket.setsockopt(zmq.LINGER, 0)
            if not identity.startswith(b"\0"):
                socket.setsockopt(zmq.ROUTING_ID, identity)
            socket.connect(self.target)
        for message in unpack_all(payload):
            if message[0] == 0:
                self.asked[identity, message[1]] = message[2] if message[2] != "manage" else message[3][1]
        self.behind[identity].send(payload)

    def answer(self, methods, payload):
        """Returns what to send in place of PAYLOAD, which has the responses to METHODS (None = unknown)."""
        messages = unpack_all(payload)
        garbles = self.lies and methods and methods[0] not in (None, "auth") and messages[0][2] is None
        if not garbles or self.chance.random() > 0.1:
            return payload
        self.told += 1
        how = self.chance.random()
        if how < 0.1:
            return payload[:self.chance.randrange(len(payload))]
        if how < 0.15:
            return payload + payload
        if how < 0.2:
            return self.chance.randbytes(self.chance.randrange(64))
        if how < 0.25:  # a result with an enormous declared length
            return msgpack.packb([1, messages[0][1], None])[:-1].replace(b"\x93", b"\x94", 1) + b"\xc0\xdd\xff\xff\xff\xff"
        number, msgid, error, result = messages[0]
        return pack([number, msgid, error, lie_about(methods[0], result, self.chance)])


class Forger(Liar):
    """Passes each result of METHOD to FORGE, which returns the error (a list, or None) and the result to answer instead."""

    def __init__(self, broker, method, forge):
        super().__init__()
        self.method, self.forge = method, forge
        self.aim(broker.request_endpoint)
        self.start()

    def answer(self, methods, payload):
        messages = unpack_all(payload)
        responses = [message for message in messages if message[0] == 1]
        for message, method in zip(responses, methods):
            if method == self.method and message[2] is None:
                message[2], message[3] = self.forge(message[3])
                self.told += 1
        return b"".join(pack(message) for message in messages)
