# SPDX-License-Identifier: MPL-2.0
"""Random requests of several sessions of two names and of a manager, against a simple model of PROTOCOL.md sections 3 to 5: the
code of every answer, the result of `clients`, and a seq that grows by exactly the number of events."""

import pytest

from broker import Broker
from chance import rounds, seeded
from hashes import secret_hash
from managing import clients_of
from project import SANITIZED

STEPS = rounds(500 if SANITIZED else 700)
SECRETS = {"a": "the secret of a .", "b": "the secret of b ."}
SESSIONS = 3  # connections under each name


class Name:
    """The state of a name. A session is None (none yet), "out" (has not given the secret) or its role."""

    def __init__(self, configured):
        self.configured = configured
        self.claimed = configured
        self.keys = set()
        self.sessions = [None] * SESSIONS

    def inside(self):
        return [role for role in self.sessions if role in ("guest", "manager")]

    def exists(self):
        return bool(self.inside() or self.keys)

    def seen(self):
        return {"sessions": len(self.inside()), "claimed": self.claimed, "keys": len(self.keys),
                "role": max(self.inside(), default="guest")}


class Model:
    """Each request is a method. It returns the expected error code, or None for a result, and counts events in `seq`."""

    def __init__(self, seq, configured):
        self.seq = seq
        self.names = {name: Name(name in configured) for name in SECRETS}

    def join(self, name, index):
        self.seq += not name.inside()  # connect
        name.sessions[index] = "guest"

    def arrive(self, name, index):
        """The connection has sent a payload, with which a session begins."""
        if name.sessions[index] in (None, "out"):
            if name.claimed:
                name.sessions[index] = "out"
            else:
                self.join(name, index)

    def drop(self, name):
        self.seq += 1
        name.keys.clear()
        name.claimed = name.configured

    def own(self, name, index, method, *params):
        """A request of a session to its own client."""
        self.arrive(name, index)
        if method == "hello" and params:
            return self.secret(name, index)
        if name.sessions[index] == "out":
            return "UNAUTHENTICATED"
        if method == "bye":
            name.sessions[index] = None
            self.left(name)
        elif method == "put":
            self.put(name, params[0])
        elif method == "del":
            self.delete(name, params[0])
        elif method == "stats" and name.sessions[index] != "manager":
            return "PERMISSION_DENIED"
        return None

    def secret(self, name, index):
        if name.claimed:
            if name.sessions[index] == "out":
                self.join(name, index)
            return None
        if len(name.inside()) > 1 or "out" in name.sessions or name.keys:
            return "FAILED_PRECONDITION"
        name.claimed = True
        return None

    def put(self, name, key):
        name.keys.add(key)
        self.seq += 1

    def delete(self, name, key):
        self.seq += key in name.keys
        name.keys.discard(key)

    def left(self, name):
        if not name.inside():
            self.seq += 1  # disconnect
            if not name.keys:
                self.drop(name)

    def forget(self, name):
        existed = name.exists()
        if not existed and "out" not in name.sessions:
            return "NOT_FOUND"
        self.seq += bool(name.inside())  # disconnect
        name.sessions = [None] * SESSIONS
        name.claimed = name.configured
        if existed:
            self.drop(name)
        return None

    def role(self, name, role):
        if not name.exists():
            return "NOT_FOUND"
        if not name.inside() or (role == "manager" and not name.claimed):
            return "FAILED_PRECONDITION"
        self.seq += any(one != role for one in name.inside())
        name.sessions = [role if one in ("guest", "manager") else one for one in name.sessions]
        return None

    def managed_put(self, name, key, options):
        if not name.exists():
            if not options["create"]:
                return "NOT_FOUND"
            if "secret" in options and name.claimed:
                return "FAILED_PRECONDITION"
            name.claimed = name.claimed or "secret" in options
        elif "secret" in options or ("if_revision" in options and key in name.keys):
            return "FAILED_PRECONDITION"
        self.put(name, key)
        return None

    def managed_del(self, name, key):
        if not name.exists():
            return "NOT_FOUND"
        before = self.seq
        self.delete(name, key)
        if self.seq > before and not name.exists():
            self.drop(name)
        return None


def own_request(chance, text, key):
    return chance.choice((("ping",), ("put", key, "v"), *[("del", key)] * 3, *[("bye",)] * 2, *[("hello", {"secret": SECRETS[text]})] * 3,
                          ("hello",), ("stats",), ("get", key)))


def manager_request(chance, text, key):
    """Returns a request of the manager, and a function that executes it in the model."""
    kind = chance.random()
    if kind < 0.2:
        return ("forget", text), lambda model, name: model.forget(name)
    if kind < 0.5:
        role = chance.choice(("guest", "manager"))
        return ("role", text, role), lambda model, name: model.role(name, role)
    if kind < 0.75:
        options = {"create": chance.random() < 0.8}
        if options["create"] and chance.random() < 0.5:
            options["secret"] = SECRETS[text]
        if chance.random() < 0.3:
            options["if_revision"] = 0
        return ("manage", text, "put", key, "v", options), lambda model, name: model.managed_put(name, key, options)
    return ("manage", text, "del", key), lambda model, name: model.managed_del(name, key)


@pytest.mark.parametrize("configured", ((), ("b",)), ids=("no claim configured", "one claim configured"))
def test_random_sessions__agree_with_a_model(configured):
    chance = seeded()
    with Broker(names={name: secret_hash(SECRETS[name]) for name in configured}) as broker, broker.manager() as manager:
        sockets = {text: [broker.client(f"{text}/{index}") for index in range(SESSIONS)] for text in SECRETS}
        model = Model(manager.seq(), configured)
        for _ in range(STEPS):
            text, key = chance.choice(tuple(SECRETS)), chance.choice("xy")
            name = model.names[text]
            if chance.random() < 0.6:
                index = chance.randrange(SESSIONS)
                request = own_request(chance, text, key)
                code = sockets[text][index].code(*request)
                assert code == model.own(name, index, *request), request
            else:
                request, carry_out = manager_request(chance, text, key)
                code = manager.code(*request)
                assert code == carry_out(model, name), request
            assert manager.seq() == model.seq, request
            seen = {one: {field: entry[field] for field in ("sessions", "claimed", "keys", "role")}
                    for one, entry in clients_of(manager).items() if one in SECRETS}
            assert seen == {one: known.seen() for one, known in model.names.items() if known.exists()}, request
