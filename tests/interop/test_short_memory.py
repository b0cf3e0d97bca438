# SPDX-License-Identifier: MPL-2.0
"""A broker that the system gives no more memory: it says so, and takes nothing for something else."""

import contextlib
import pathlib
import re
import resource

import pytest

from kvtest import SANITIZED, Broker, RpcError, real_hash

pytestmark = pytest.mark.skipif(SANITIZED, reason="sanitizers end a program that is refused memory")
SPARE = 4 << 20  # bytes that are left: enough for requests, and much less than argon2id takes


@contextlib.contextmanager
def short_of_memory(broker, spare=SPARE):
    """The system refuses the broker all memory beyond what it has and SPARE bytes."""
    pid = broker.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_AS)
    size = int(re.search(r"VmSize:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) << 10
    resource.prlimit(pid, resource.RLIMIT_AS, (size + spare, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, before)


@pytest.mark.parametrize("user", ("real", "nobody"), ids=("known_user", "unknown_user"))
def test_auth__without_memory_to_verify__is_unavailable_and_no_failure(user):
    with Broker(accounts={}, hashes={"real": real_hash("eve")}) as broker, broker.client() as client, \
            broker.client() as manager:
        manager.call("auth", "real", "eve")
        client.call("ping")
        with short_of_memory(broker):
            for password in ["eve", "wrong"] * 6:
                with pytest.raises(RpcError) as refused:
                    client.call("auth", user, password)
                assert refused.value.code == "UNAVAILABLE", refused.value
                assert "memory" in refused.value.message
            client.call("put", "k", "v")
        stats = manager.call("stats")
        assert (stats["auth_failure_total"], stats["auth_throttled_total"]) == (0, 0)
        assert client.code("auth", "real", "wrong") == "UNAUTHENTICATED"
        assert client.call("auth", "real", "eve") == {"role": "manager"}
