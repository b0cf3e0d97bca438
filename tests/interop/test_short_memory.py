# SPDX-License-Identifier: MPL-2.0
"""A broker that gets no more memory from the system: it answers UNAVAILABLE, and does not report another failure instead."""

import contextlib
import pathlib
import re
import resource

import pytest

from broker import Broker
from hashes import real_hash
from project import SANITIZED
from rpc import RpcError
from stores import entries_of

pytestmark = pytest.mark.skipif(SANITIZED, reason="sanitizers end a program that is refused memory")
SPARE = 4 << 20  # bytes that are left: enough for requests, and much less than argon2id needs
VALUE = 64 << 10  # bytes of a value; libzmq needs much less for a request, so requests arrive even if no value fits
# Of "eve", with the cost of `kvbroker hash-password`, but with a hash of 24 bytes, which that command does not write.
FOREIGN_HASH = "$argon2id$v=19$m=65536,t=2,p=1$c2l4dGVlbiBieXRlcyBvaw$mDCuWDbOs0DfS2MtLEgtrgtZQFsv2sGj"


@contextlib.contextmanager
def short_of_memory(broker, spare=SPARE):
    """Limits the address space of the broker to its present size and SPARE bytes."""
    pid = broker.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_AS)
    size = int(re.search(r"VmSize:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) << 10
    resource.prlimit(pid, resource.RLIMIT_AS, (size + spare, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, before)


@pytest.mark.parametrize("form", ("own", "foreign"))
@pytest.mark.parametrize("user", ("real", "nobody"), ids=("known_user", "unknown_user"))
def test_auth__without_memory_to_verify__is_unavailable_and_no_failure(user, form):
    with Broker(accounts={}, hashes={"real": real_hash("eve") if form == "own" else FOREIGN_HASH}) as broker, broker.client() as client, \
            broker.client() as manager:
        manager.call("auth", "real", "eve")
        client.call("ping")
        with short_of_memory(broker):
            for password in ["eve", "wrong"] * 6:
                error = client.error("auth", user, password)
                assert error.code == "UNAVAILABLE", error
                assert "memory" in error.message
            client.call("put", "k", "v")
        stats = manager.call("stats")
        assert (stats["auth_failure_total"], stats["auth_throttled_total"]) == (0, 0)
        assert client.code("auth", "real", "wrong") == "UNAUTHENTICATED"
        assert client.call("auth", "real", "eve") == {"role": "manager"}


def put_until_refused(client):
    """Puts values until one is refused. Returns their keys and the refusal."""
    for number in range((1 << 30) // VALUE):
        try:
            client.call("put", f"k{number}", b"x" * VALUE)
        except RpcError as refused:
            return [f"k{i}" for i in range(number)], refused
    raise AssertionError("1 GiB of values was accepted")


def test_requests__without_memory__are_unavailable_and_what_was_acknowledged_stays():
    with Broker() as broker, broker.client("lamp") as client:
        client.call("put", "small", "s")
        with short_of_memory(broker):
            keys, refused = put_until_refused(client)
            assert (refused.code, refused.message) == ("UNAVAILABLE", "the broker is out of memory: try again later")
            assert client.code("list") == "UNAVAILABLE"  # a page is larger than a value
            assert client.call("ping") == "pong"
            assert client.call("get", "small") == "s"
            assert client.code("get", keys[-1]) in (None, "UNAVAILABLE")  # needs a copy of the value
            for key in keys[:4]:  # needs no memory, and makes room
                client.call("del", key)
            assert len(client.call("get", keys[-1])) == VALUE
        assert sorted(key for key, *_ in entries_of(client)) == sorted(keys[4:] + ["small"])
        client.call("put", "more", b"x" * VALUE)
        assert broker.process.poll() is None
        broker.wait_log(r"error +out of memory: ", what="a line for the operator")
        assert len(re.findall(r"out of memory: ", broker.log())) < 5
