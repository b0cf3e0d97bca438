# SPDX-License-Identifier: MPL-2.0
"""Every method × every kind of caller × every kind of params: the result or the code of PROTOCOL.md, section 5, and the
order in which the checks come (section 2)."""

import itertools
import re

import pytest

from broker import Broker
from project import REPOSITORY
from rpc import RpcError, check_response, pack, unpack_all

SECRET = "a secret of the owner's"
NEEDLES = (b"needle-key", b"needle-value")
CALLERS = ("guest", "failed_auth", "manager", "claimed_without_secret")


class Method:
    """A row of the matrix. RIGHT has pairs of params and a check of the result. All other params must be answered with
    INVALID_ARGUMENT if the caller may call the method. Params that are callables are given the world and return the params."""

    def __init__(self, who, right, few=(), many=(), wrong=()):
        self.who = who
        self.params = {"right": right, "too_few": few, "too_many": many, "wrong_type": wrong}


def is_hello(result):
    return (set(result) == {"client", "role", "protocol", "broker", "epoch", "timeout_ms", "limits", "note"} and result["note"] is None
            and result["protocol"] == 1 and result["broker"].startswith("kvbroker ")
            and result["timeout_ms"] == 60000
            and result["limits"] == {"key": 1024, "value": 1048576, "batch": 4096, "message": 8388608})


def is_revision(result):
    return type(result) is int and result > 0  # isinstance would take True


def is_entry(result):
    return set(result) == {"value", "revision", "ttl_ms"} and result["value"] == "needle-value"


def is_page(result):
    return set(result) == {"seq", "entries", "more"} and result["more"] is False


def is_digest(result):
    return set(result) == {"seq", "digest", "keys"}


def is_none(result):
    return result is None


def is_true(result):
    return result is True


def is_role(role):
    return lambda result: result == role


def is_clients(result):
    return set(result) == {"clients", "more"} and len(result["clients"]) > 0


OPTIONS_WRONG = (1, "text", True, [], {"nonsense": 1}, {"": 1}, {1: 1})


def with_options(*before):
    return tuple((*before, options) for options in OPTIONS_WRONG)


METHODS = {
    "hello": Method("G", right=[((), is_hello), ((None,), is_hello), (({},), is_hello),
                                (({"secret": None},), is_hello)],
                    many=[({}, 1)],
                    wrong=[*with_options(), ({"secret": 7},), ({"secret": "x" * 15},),
                           ({"secret": "x" * 257},)]),
    "ping": Method("G", right=[((), lambda result: result == "pong")], many=[(1,), (None,), ({},)]),
    "get": Method("G", right=[(("absent",), is_none)], few=[()], many=[("k", "x"), ("k", None)],
                  wrong=[(7,), (None,), ([],), ({},), (True,), ("",), ("k" * 1025,), (b"\xff",)]),
    "entry": Method("G", right=[(("absent",), is_none)], few=[()], many=[("k", "x")],
                    wrong=[(7,), (None,), ([],), ("",), ("k" * 1025,)]),
    "put": Method("G", right=[(("k", "v"), is_revision), (("k", b"\xff"), is_revision), (("k", "", None), is_revision),
                              (("k", "v", {"ttl_ms": 2**53}), is_revision),
                              (("k", "v", {"ttl_ms": None, "if_revision": None}), is_revision)],
                  few=[(), ("k",)], many=[("k", "v", {}, 1)],
                  wrong=[(1, "v"), (None, "v"), ("", "v"), ("k" * 1025, "v"), ("k", 1), ("k", None), ("k", []),
                         ("k", {}), ("k", True), ("k", "v" * 1048577), *with_options("k", "v"),
                         ("k", "v", {"ttl_ms": 0}), ("k", "v", {"ttl_ms": -1}), ("k", "v", {"ttl_ms": 2**53 + 1}),
                         ("k", "v", {"ttl_ms": "1"}), ("k", "v", {"if_revision": -1}),
                         ("k", "v", {"if_revision": "0"}), ("k", "v", {"create": True})]),
    "del": Method("G", right=[(("absent",), is_none), (("absent", {"if_revision": 0}), is_none),
                              (("absent", {"if_revision": None}), is_none)],
                  few=[()], many=[("k", {}, 1)],
                  wrong=[(1,), (None,), ("",), *with_options("k"), ("k", {"ttl_ms": 1}), ("k", {"if_revision": True})]),
    "list": Method("G", right=[((), is_page), (("",), is_page), (("no",), is_page), (("", None), is_page),
                               (("", {"after": "a", "limit": 10000}), is_page),
                               (("", {"after": None, "limit": None}), is_page)],
                   many=[("", {}, 1)],
                   wrong=[(1,), (None,), ([],), *with_options(""), ("", {"limit": 0}), ("", {"limit": 10001}),
                          ("", {"limit": -1}), ("", {"limit": "1"}), ("", {"after": 1})]),
    "digest": Method("G", right=[((), is_digest)], many=[(1,), ("k",)]),
    "watch": Method("G", right=[((True,), is_revision), ((False,), is_revision),
                                ((False, {"after": None, "epoch": None}), is_revision)],
                    few=[()], many=[(True, {}, 1)], wrong=[(1,), ("true",), (None,), *with_options(True)]),
    "auth": Method("G", right=[(("adam", "eve"), lambda result: result == {"role": "manager"})],
                   few=[(), ("adam",)], many=[("adam", "eve", 1)],
                   wrong=[(1, "eve"), ("adam", 2), (None, None), ("adam", []), ({}, "eve")]),
    "bye": Method("G", right=[((), is_true)], many=[(1,), ({},)]),
    "manage": Method("M",
                     right=[(("owner", "get", "needle-key"), lambda result: result == "needle-value"),
                            (("owner", "get", "absent"), is_none), ((b"owner", b"get", b"absent"), is_none),
                            (("owner", "entry", "needle-key"), is_entry),
                            (("owner", "put", "extra", "v"), is_revision), (("owner", "del", "absent"), is_none),
                            (("owner", "list"), is_page), (("owner", "list", "no"), is_page),
                            (("owner", "digest"), is_digest),
                            (lambda world: (world.number, "get", "needle-key"), lambda result: result == "needle-value"),
                            (lambda world: (str(world.number), "digest"), is_digest),
                            (lambda world: (world.fresh(), "put", "k", "v", {"create": True}), is_revision),
                            (lambda world: (world.fresh(), "put", "k", "v", {"create": True, "secret": None}), is_revision),
                            (("owner", "put", "extra", "v", {"create": None, "ttl_ms": None}), is_revision),
                            (("owner", "list", "", {"after": None, "limit": None}), is_page)],
                     few=[(), ("owner",), ("owner", "get"), ("owner", "put", "k"), ("owner", "del")],
                     many=[("owner", "get", "k", "x"), ("owner", "digest", 1), ("owner", "put", "k", "v", {}, 1),
                           ("owner", "list", "", {}, 1)],
                     wrong=[(None, "get", "k"), ([], "get", "k"), ({}, "get", "k"), (True, "get", "k"),
                            ("owner", 7, "k"), ("owner", None), ("owner", "get", 7), ("owner", "get", ""),
                            ("owner", "put", "k", 1), ("owner", "put", "k", "v", {"create": 1}),
                            ("owner", "put", "k", "v", {"nonsense": 1}), ("owner", "del", "k", {"create": True}),
                            ("owner", "list", "", {"limit": 0}),
                            # Existing methods that cannot be applied to another client's store.
                            ("owner", "ping"), ("owner", "hello"), ("owner", "auth", "adam", "eve"), ("owner", "bye"),
                            ("owner", "clients"), ("owner", "stats"), ("owner", "manage", "owner", "get", "k")]),
    "clients": Method("M", right=[((), is_clients), ((None,), is_clients), (({},), is_clients),
                                  (({"prefix": "own", "after": "a", "limit": 10000},), is_clients),
                                  (({"prefix": None, "after": None, "limit": None},), is_clients)],
                      many=[({}, 1)],
                      wrong=[*with_options(), ({"limit": 0},), ({"limit": 10001},), ({"limit": "1"},),
                             ({"prefix": 1},), ({"after": 1},)]),
    "role": Method("M", right=[(lambda world: (world.number, "guest"), is_role("guest")),
                               (("owner", "guest"), is_role("guest"))],
                   few=[(), ("owner",)], many=[("owner", "guest", 1)],
                   wrong=[(None, "guest"), ("owner", 1), ("owner", None), ("owner", "king"), ("owner", ""),
                          ([], "guest")]),
    "forget": Method("M", right=[(lambda world: (world.made(),), is_true)], few=[()], many=[("owner", 1)],
                     wrong=[(None,), ([],), ({},), (True,)]),
    "events": Method("M", right=[((), lambda result: "username" in result)], many=[(1,), ({},)]),
    "replay": Method("M", right=[(lambda world: (world.manager.seq(),),
                                  lambda result: set(result) == {"events", "seq"}),
                                 (lambda world: (world.manager.seq(),
                                                 {"client": None, "limit": None, "epoch": None}),
                                  lambda result: set(result) == {"events", "seq"})],
                     few=[()], many=[(0, {}, 1)], wrong=[("0",), (None,), (-1,), *with_options(0)]),
    "stats": Method("M", right=[((), lambda result: isinstance(result, dict) and len(result) > 0)], many=[(1,), ({},)]),
}


class World:
    """A broker with two stores to protect: that of a claimed name and that of a numbered client."""

    def __init__(self, broker):
        self.broker = broker
        self.manager = broker.manager()
        self.owner = broker.client("owner/0123456789abcdef")
        self.owner.call("hello", {"secret": SECRET})
        self.numbered = broker.client()
        self.number = int(self.numbered.whoami())
        for store in (self.owner, self.numbered):
            store.call("put", "needle-key", "needle-value")
        self._serial = itertools.count()

    def fresh(self):
        return f"fresh-{next(self._serial)}"

    def made(self):
        """Makes a client with a store and returns its name."""
        name = self.fresh()
        self.manager.call("manage", name, "put", "k", "v", {"create": True})
        return name

    def caller(self, kind):
        if kind == "manager":
            return self.broker.manager()
        if kind == "claimed_without_secret":
            return self.broker.client(f"owner/{self.fresh()}")
        client = self.broker.client()
        if kind == "failed_auth":
            assert client.code("auth", f"nobody-{next(self._serial)}", "wrong") == "UNAUTHENTICATED"
        return client


@pytest.fixture(scope="module")
def world(broker):
    return World(broker)


def expected_code(method, row, caller, kind):
    """Returns the code by the order of the checks, or None if the method must be executed."""
    if caller == "claimed_without_secret":
        return "UNAUTHENTICATED"
    if row.who == "M" and caller != "manager":
        return "PERMISSION_DENIED"
    return None if kind == "right" else "INVALID_ARGUMENT"


def cases():
    for (method, row), caller in itertools.product(METHODS.items(), CALLERS):
        for kind, rows in row.params.items():
            if rows:
                yield pytest.param(method, caller, kind, id=f"{method}-{caller}-{kind}")


@pytest.mark.parametrize("method, caller, kind", cases())
def test_matrix(world, method, caller, kind):
    row = METHODS[method]
    code = expected_code(method, row, caller, kind)
    for params in row.params[kind]:
        check = None
        if kind == "right":
            params, check = params
        if callable(params):
            params = params(world)
        with world.caller(caller) as client:
            try:
                result = client.call(method, *params)
            except RpcError as error:
                assert error.code == code, f"{method}{params!r}: {error}, expected {code}"
                assert error.detail is None
            else:
                assert code is None, f"{method}{params!r}: {result!r}, expected {code}"
                assert check(result), f"{method}{params!r}: {result!r}"


def methods_of_the_protocol():
    """Returns {method: who may call it} by the table of PROTOCOL.md section 5."""
    section = (REPOSITORY / "common" / "PROTOCOL.md").read_text().split("\n## 5 ")[1].split("\n## ")[0]
    return {method: who for who, method in re.findall(r"^\| ([GM]) \| `(\w+)", section, re.M)}


def methods_of_the_broker():
    """Returns the same by the broker's own table."""
    table = (REPOSITORY / "broker/core/methods.def").read_text()
    return {method: "M" if role == "MANAGER" else "G" for method, role in re.findall(r"^METHOD\((\w+), ROLE_(\w+),", table, re.M)}


def test_matrix__has_every_method_of_the_protocol_and_of_the_broker():
    matrix = {method: row.who for method, row in METHODS.items()}
    assert methods_of_the_protocol() == matrix == methods_of_the_broker()


@pytest.mark.parametrize("caller", CALLERS)
def test_unknown_method__is_unimplemented_for_everybody(world, caller):
    with world.caller(caller) as client:
        for method in ("nonsense", "", "GET", "get ", "x" * 1000):
            assert client.code(method) == "UNIMPLEMENTED"


def test_order__params_of_the_managed_method_before_the_client(world):
    code = world.manager.code
    assert code("manage", "nobody", "get") == "INVALID_ARGUMENT"
    assert code("manage", "nobody", "get", "k", "x") == "INVALID_ARGUMENT"
    assert code("manage", "nobody", "ping") == "INVALID_ARGUMENT"
    assert code("manage", "nobody", "nonsense") == "UNIMPLEMENTED"
    assert code("manage", "nobody", "put", "k", "v", {"ttl_ms": 0}) == "INVALID_ARGUMENT"
    assert code("role", "nobody", "king") == "INVALID_ARGUMENT"


def test_order__the_client_before_conditions(world):
    code = world.manager.code
    assert code("manage", "nobody", "get", "k") == "NOT_FOUND"
    assert code("manage", "nobody", "put", "k", "v") == "NOT_FOUND"
    assert code("manage", "nobody", "put", "k", "v", {"create": False}) == "NOT_FOUND"
    assert code("manage", "nobody", "put", "k", "v", {"if_revision": 5}) == "NOT_FOUND"
    assert code("manage", 1, "get", "k") == "NOT_FOUND"
    assert code("role", "nobody", "manager") == "NOT_FOUND"
    assert code("forget", "nobody") == "NOT_FOUND"


def test_order__conditions_before_limits():
    with Broker(options={"limits/keys_per_client": 1}) as broker, broker.client() as client:
        revision = client.call("put", "k", "v")
        error = client.error("put", "second", "v", {"if_revision": revision})
        assert (error.code, error.detail) == ("FAILED_PRECONDITION", 0)
        assert client.code("put", "second", "v") == "RESOURCE_EXHAUSTED"


def every_request(world):
    """Yields every row of the matrix, and all attempts to reach the protected stores."""
    for method, row in METHODS.items():
        if method == "auth":
            continue
        for kind, rows in row.params.items():
            for params in rows:
                params = params[0] if kind == "right" else params
                yield method, params(world) if callable(params) else params
    for target in ("owner", world.number, str(world.number)):
        for tail in (("get", "needle-key"), ("entry", "needle-key"), ("list",), ("digest",), ("del", "needle-key"),
                     ("put", "needle-key", "mine")):
            yield "manage", (target, *tail)
        for method in ("get", "entry", "list", "digest"):
            yield method, (target, "needle-key")
            yield method, ("needle-key", {"client": target})
    for key in ("needle-key", "owner/needle-key", f"{world.number}/needle-key"):
        yield "get", (key,)
        yield "entry", (key,)
        yield "list", (key,)


@pytest.mark.parametrize("caller", ("guest", "failed_auth", "claimed_without_secret", "number_as_identity"))
def test_guests__obtain_no_byte_of_a_protected_store(world, caller):
    if caller == "number_as_identity":
        guest = world.broker.client(str(world.number))
    else:
        guest = world.caller(caller)
    with guest:
        for msgid, (method, params) in enumerate(every_request(world)):
            if method == "bye":
                continue
            request = pack([0, msgid, method, list(params)])
            answers = unpack_all(guest_answer(guest, request))
            assert [check_response(answer)[1] for answer in answers] == [msgid]
    for store in (world.owner, world.numbered):
        assert store.call("get", "needle-key") == "needle-value"


def guest_answer(guest, request):
    """Sends REQUEST and returns the answer's payload. Checks that it has no part of a protected store, except a key that the
    request itself has."""
    guest.send_raw(request)
    payload = guest.recv_payload()
    for needle in NEEDLES:
        assert needle not in payload or needle in request, payload
    assert b"needle-value" not in payload
    return payload
