# SPDX-License-Identifier: MPL-2.0
"""A process with ZeroMQ sockets that a test can kill. Takes one JSON object a line on standard input, answers each
with one on standard output:

    {"do": "open", "count": 3, "identity": "lamp/%d", "first": 0}    connects sockets and says hello on each
    {"do": "call", "socket": 0, "method": "put", "params": ["k", "v"]}
    {"do": "post", "socket": 0, "method": "put", "params": ["k", "v"], "count": 100}   sends without reading
    {"do": "own", "keys": 1}            every client puts values of its own and reads all of them back
    {"do": "cycle", "count": 100}       so many short sessions: connect, hello, put, get, bye; ids in order

Ends when its standard input does."""

import json
import sys

from kvtest import Client, RpcError, pack

clients = []


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


def op_cycle(endpoint, count):
    ids = []
    for index in range(count):
        with Client(endpoint) as client:
            name = client.call("hello")["client"]
            if client.call("get", "seen") is not None:
                return {"wrong": f"client {name} was not empty"}
            client.call("put", "seen", f"{name} {index}")
            if client.call("get", "seen") != f"{name} {index}":
                return {"wrong": f"client {name} does not read its own value"}
            if client.call("bye") is not True:
                return {"wrong": "bye"}
            if client.pushed:
                return {"wrong": f"client {name} got {list(client.pushed)}"}
            ids.append(name)
    return {"ids": ids}


def main():
    endpoint = sys.argv[1]
    operations = {"open": op_open, "call": op_call, "post": op_post, "own": op_own, "cycle": op_cycle}
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(operations[request.pop("do")](endpoint, **request)), flush=True)


if __name__ == "__main__":
    main()
