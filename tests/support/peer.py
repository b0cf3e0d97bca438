# SPDX-License-Identifier: MPL-2.0
"""A process with ZeroMQ sockets that a test can kill. Reads one JSON object from each line of standard input, and answers each
with a JSON object on standard output:

    {"do": "open", "count": 3, "identity": "lamp/%d", "first": 0}    connects sockets and says hello on each
    {"do": "call", "socket": 0, "method": "put", "params": ["k", "v"]}
    {"do": "post", "socket": 0, "method": "put", "params": ["k", "v"], "count": 100}   sends without reading
    {"do": "own", "keys": 1}            every client puts its own values and reads all of them back
    {"do": "cycle", "count": 100, "width": 1}   runs COUNT short sessions, WIDTH of them at the same time: connect,
                                        hello, get, put, get, bye; answers with their ids, in the order in which they began
    {"do": "raw_open", "count": 3, "ping": true}   connects byte by byte (RawPeer), and waits for a ping's answer on each
    {"do": "raw_send", "data": "00ff"}  sends these bytes on each; answers when the kernel has taken them

It ends when its standard input ends."""

import json
import sys

import zmq

from client import Client
from raw_peer import RawPeer
from rpc import RpcError, pack
from waiting import TIMEOUT

clients = []
raw_peers = []


def op_open(endpoint, count=1, identity=None, first=0):
    added = []
    for index in range(first, first + count):
        name = identity % index if identity and "%" in identity else identity
        added.append(Client(endpoint, name))
    pending = [(client, client.request("hello")) for client in added]
    clients.extend(added)
    return {"ids": [client.result(msgid)["client"] for client, msgid in pending]}


def op_call(_, method, params=(), socket=0):
    try:
        return {"result": clients[socket].call(method, *params)}
    except RpcError as error:
        return {"error": error.code, "message": error.message}


def op_post(_, method, params=(), socket=0, count=1):
    payload = pack([0, 1, method, list(params)])
    for _index in range(count):
        clients[socket].send_raw(payload)
    return {"sent": count}


def op_own(_, keys=1):
    own = {client: client.call("hello")["client"] for client in clients}
    for step in ("put", "get"):
        for key in range(keys):
            pending = []
            for client, name in own.items():
                params = [f"key-{key}", f"value of {name}, {key}"] if step == "put" else [f"key-{key}"]
                pending.append((client, client.request(step, *params), name))
            for client, msgid, name in pending:
                result = client.result(msgid)
                if step == "get" and result != f"value of {name}, {key}":
                    return {"wrong": [name, result]}
    for client in clients:
        page = client.call("list")
        if page["more"] or len(page["entries"]) != keys:
            return {"wrong": [own[client], page]}
    return {"right": len(clients)}


class ShortSession:
    """One session from its connection to its bye, advanced by one answer at a time."""

    def __init__(self, endpoint, number):
        self.client = Client(endpoint)
        self.number = number
        self.name = None
        self.done = False
        self.expected = self.client.request("hello")
        self.steps = iter(self.course())
        next(self.steps)

    def course(self):
        """A generator: sends a request, then yields and is sent the answer. Ends with the session."""
        self.name = (yield)["client"]
        value = f"{self.name} {self.number}"
        self.expected = self.client.request("get", "seen")
        assert (yield) is None, f"the store of client {self.name} is not empty at the start"
        self.expected = self.client.request("put", "seen", value)
        yield
        self.expected = self.client.request("get", "seen")
        assert (yield) == value, f"client {self.name} reads a value that it did not put"
        self.expected = self.client.request("bye")
        assert (yield) is True, f"client {self.name}: bye failed"
        self.done = True
        yield

    def advance(self):
        self.steps.send(self.client.result(self.expected))
        assert not self.client.pushed, f"client {self.name} received pushes: {list(self.client.pushed)}"


def op_cycle(endpoint, count, width=1):
    poller = zmq.Poller()
    live = {}
    names = [None] * count
    begun = 0
    try:
        while live or begun < count:
            while begun < count and len(live) < width:
                session = ShortSession(endpoint, begun)
                live[session.client.socket] = session
                poller.register(session.client.socket, zmq.POLLIN)
                begun += 1
            ready = poller.poll(int(TIMEOUT * 1000))
            assert ready, f"no answer came for {[session.name for session in live.values()]}"
            for socket, _ in ready:
                session = live[socket]
                session.advance()
                if session.done:
                    names[session.number] = session.name
                    poller.unregister(socket)
                    session.client.close()
                    del live[socket]
    except (AssertionError, RpcError, TimeoutError) as problem:
        return {"wrong": f"{type(problem).__name__}: {problem}"}
    return {"ids": names}


def op_raw_open(endpoint, count=1, ping=False):
    raw_peers.extend(RawPeer(endpoint) for _ in range(count))
    for peer in raw_peers if ping else ():
        peer.send_frame(pack([0, 1, "ping", []]))
        peer.read_frame()
    return {"open": len(raw_peers)}


def op_raw_send(_, data):
    for peer in raw_peers:
        peer.send(bytes.fromhex(data))
    return {"sent": len(raw_peers)}


def main():
    endpoint = sys.argv[1]
    operations = {"open": op_open, "call": op_call, "post": op_post, "own": op_own, "cycle": op_cycle,
                  "raw_open": op_raw_open, "raw_send": op_raw_send}
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(operations[request.pop("do")](endpoint, **request)), flush=True)


if __name__ == "__main__":
    main()
