# SPDX-License-Identifier: MPL-2.0
"""Managers: auth and its throttling, manage, clients, stats."""

import pytest

from broker import Broker
from hashes import real_hash
from managing import clients_of
from rpc import RpcError
from waiting import TIMEOUT, wait_until

SECRET = "sixteen bytes or more of a secret"
CLIENT_FIELDS = {"id", "connected", "sessions", "role", "claimed", "peer", "since_ms", "idle_ms", "keys", "bytes"}


def two_addresses(folder):
    """Returns endpoints by which the broker sees two addresses: this machine over tcp, and this user over ipc."""
    return ["tcp://127.0.0.1:*", f"ipc://{folder}/requests"]


# -- auth


def test_auth__right_password__makes_the_session_a_manager(broker):
    with broker.client() as client:
        assert client.call("hello")["role"] == "guest"
        assert client.call("auth", "adam", "eve") == {"role": "manager"}
        assert client.call("hello")["role"] == "manager"


def test_auth__wrong_password_and_unknown_user__are_answered_alike():
    with Broker() as broker, broker.client() as client:
        wrong, unknown = client.error("auth", "adam", "nope"), client.error("auth", "nobody", "nope")
        assert wrong.code == unknown.code == "UNAUTHENTICATED"
        assert (wrong.message, wrong.detail) == (unknown.message, unknown.detail)
        assert client.code("clients") == "PERMISSION_DENIED"


def test_auth__failed__changes_nothing():
    with Broker() as broker, broker.manager() as manager:
        assert manager.code("auth", "adam", "nope") == "UNAUTHENTICATED"
        assert manager.code("clients") is None


@pytest.mark.parametrize("password", ("", "eve ", "Eve", "eve\0", "e" * 1000, "ëve"), ids=ascii)
def test_auth__near_misses__fail(password):
    with Broker() as broker, broker.client() as client:
        assert client.code("auth", "adam", password) == "UNAUTHENTICATED"


def test_auth__a_password_of_any_text__works():
    with Broker(accounts={"adam": "pass word €\t\"#'"}) as broker, broker.client() as client:
        assert client.call("auth", "adam", "pass word €\t\"#'".encode()) == {"role": "manager"}


def test_auth__without_accounts__fails():
    with Broker(accounts={}) as broker, broker.client() as client:
        assert client.code("auth", "adam", "eve") == "UNAUTHENTICATED"


def test_auth__requests_behind_it_wait_and_see_the_new_role():
    with Broker(hashes={"slow": real_hash("eve")}) as broker, broker.client() as client, broker.client() as other:
        msgids = [client.request("auth", "slow", "eve"), client.request("clients"), client.request("ping")]
        assert other.call("ping") == "pong"
        assert client.result(msgids[0]) == {"role": "manager"}
        assert client.result(msgids[1])["more"] is False
        assert client.result(msgids[2]) == "pong"
        results = other.batch(("stats",), ("auth", "slow", "eve"), ("stats",), ("auth", "slow", "no"), ("stats",))
        assert isinstance(results[0], RpcError) and isinstance(results[3], RpcError)
        assert results[1] == {"role": "manager"} and results[2] and results[4]


def test_auth__an_unknown_user__takes_as_long_as_a_wrong_password():
    """Measured in CPU time of the broker, which other programs do not affect."""
    with Broker(accounts={}, hashes={"slow": real_hash("eve")}) as broker, broker.client() as client:
        took = {"slow": [], "nobody": []}
        for _ in range(5):
            for user, times in took.items():
                start = broker.processor_time()
                assert client.code("auth", user, "nope") == "UNAUTHENTICATED"
                times.append(broker.processor_time() - start)
        slow, nobody = sorted(took["slow"])[2], sorted(took["nobody"])[2]
        assert 0.5 < slow / nobody < 2, took


# -- throttling


def failures_until_refused(client, user, most=40):
    """Returns the errors of wrong attempts, in order, up to the first that was throttled, or MOST of them."""
    errors = []
    while len(errors) < most and (not errors or errors[-1].code == "UNAUTHENTICATED"):
        errors.append(client.error("auth", user, "nope"))
    return errors


def test_throttling__five_failures_are_free_then_there_is_a_time_to_wait():
    with Broker() as broker, broker.client() as client:
        errors = failures_until_refused(client, "adam")
        assert [error.code for error in errors[:5]] == ["UNAUTHENTICATED"] * 5
        assert len(errors) <= 21
        assert errors[-1].code == "RESOURCE_EXHAUSTED"
        assert isinstance(errors[-1].detail, int) and 0 < errors[-1].detail < 3600000


def test_throttling__the_right_password_waits_too_then_succeeds_and_all_is_forgotten():
    with Broker() as broker, broker.client() as client:
        refused = failures_until_refused(client, "adam")[-1]
        again = client.error("auth", "adam", "eve")
        assert again is None or again.code == "RESOURCE_EXHAUSTED"
        assert again is None or again.detail <= refused.detail
        wait_until(lambda: client.code("auth", "adam", "eve") is None, timeout=refused.detail / 1000 + TIMEOUT)
        assert [error.code for error in failures_until_refused(client, "adam")[:5]] == ["UNAUTHENTICATED"] * 5


def test_throttling__a_new_connection_does_not_help():
    with Broker() as broker:
        with broker.client() as client:
            failures_until_refused(client, "adam")
        with broker.client("named") as other:
            assert other.code("auth", "adam", "nope") == "RESOURCE_EXHAUSTED"


def test_throttling__guesses_side_by_side_gain_nothing():
    with Broker(hashes={"slow": real_hash("eve")}) as broker:
        clients = [broker.client() for _ in range(30)]
        pending = [(client, client.request("auth", "slow", f"guess {number}")) for number, client in enumerate(clients)]
        codes = []
        for client, msgid in pending:
            with pytest.raises(RpcError) as caught:
                client.result(msgid)
            codes.append(caught.value.code)
        assert codes.count("UNAUTHENTICATED") <= 20
        assert set(codes) == {"UNAUTHENTICATED", "RESOURCE_EXHAUSTED"}


def test_throttling__sessions_that_leave_before_their_answer__count_as_failures(tmp_path):
    with Broker(hashes={"slow": real_hash("eve")}, requests=two_addresses(tmp_path)) as broker:
        endpoint = broker.request_endpoints[1]
        for _ in range(10):  # these keep the broker busy, so that the later ones leave before they are verified
            broker.client().request("auth", "slow", "nope")
        guessers = [broker.client(f"guesser-{number}", endpoint=endpoint) for number in range(12)]
        for guesser in guessers:
            guesser.request("auth", "slow", "nope")
        for number, guesser in enumerate(guessers):
            broker.wait_log(f"guesser-{number} connected")
            guesser.close()
        for number in range(12):
            broker.wait_log(f"guesser-{number} disconnected")
        with broker.client(endpoint=endpoint) as guesser:
            assert guesser.code("auth", "slow", "eve") == "RESOURCE_EXHAUSTED"


def test_throttling__another_account_and_another_address_stay_free(tmp_path):
    with Broker(accounts={"adam": "eve", "berta": "rose"}, requests=two_addresses(tmp_path)) as broker:
        with broker.client(endpoint=broker.request_endpoints[1]) as guesser:
            assert failures_until_refused(guesser, "adam")[-1].code == "RESOURCE_EXHAUSTED"
            assert guesser.code("auth", "berta", "rose") is None
        with broker.client() as neighbour:
            assert neighbour.code("auth", "adam", "eve") is None


def test_throttling__addresses_of_loopback_are_one():
    with Broker() as broker:
        port = broker.request_endpoint.rpartition(":")[2]
        codes = []
        for number in range(2, 30):
            with broker.client(endpoint=f"tcp://127.0.0.{number}:0;127.0.0.1:{port}") as guesser:
                codes.append(guesser.code("auth", "adam", "nope"))
        assert codes[:5] == ["UNAUTHENTICATED"] * 5
        assert "RESOURCE_EXHAUSTED" in codes


def test_client_limit__a_manager_is_let_in_above_it():
    with Broker(options={"limits/clients": 4}) as broker:
        for number in range(4):  # names with a key stay while the broker runs
            with broker.client(f"squatter-{number}") as squatter:
                squatter.call("put", "k", "v")
        with broker.client() as guest, broker.client("late/1") as adam:
            assert guest.code("ping") == "RESOURCE_EXHAUSTED"
            assert adam.code("ping") == "RESOURCE_EXHAUSTED"
            assert adam.code("auth", "adam", "nope") == "UNAUTHENTICATED"
            assert adam.code("ping") == "RESOURCE_EXHAUSTED"
            assert adam.call("auth", "adam", "eve") == {"role": "manager"}
            assert clients_of(adam)["late"]["role"] == "manager"
            assert guest.code("ping") == "RESOURCE_EXHAUSTED"
            assert adam.call("forget", "squatter-0") is True
            assert adam.call("forget", "squatter-1") is True
            assert guest.call("ping") == "pong"


def test_throttling__unknown_accounts_are_throttled_too():
    with Broker() as broker, broker.client() as client:
        assert failures_until_refused(client, "nobody")[-1].code == "RESOURCE_EXHAUSTED"


# -- manage


def test_manage__sees_and_changes_what_the_client_sees(broker, manager, name):
    with broker.client(name) as client:
        revision = client.call("put", "city", "Kolkata")
        assert manager.call("manage", name, "get", "city") == "Kolkata"
        assert manager.call("manage", name, "entry", "city") == {"value": "Kolkata", "revision": revision, "ttl_ms": None}
        new = manager.call("manage", name, "put", "city", "Mumbai")
        assert new > revision
        assert client.call("get", "city") == "Mumbai"
        assert manager.call("get", "city") is None
        assert manager.call("manage", name, "list") == client.call("list")
        assert manager.call("manage", name, "digest") == client.call("digest")
        assert manager.call("manage", name, "del", "city", {"if_revision": new}) > new
        assert client.call("get", "city") is None


def test_manage__a_number_stands_for_its_text(broker, manager):
    with broker.client() as client:
        number = client.whoami()
        client.call("put", "k", b"\0\xff")
        for target in (int(number), number, number.encode()):
            assert manager.call("manage", target, "get", "k") == b"\0\xff"


def test_manage__options_of_the_managed_put(broker, manager, name):
    with broker.client(name) as client:
        client.call("ping")
        revision = manager.call("manage", name, "put", "k", "v", {"if_revision": 0, "ttl_ms": 100000})
        error = manager.error("manage", name, "put", "k", "w", {"if_revision": 0})
        assert (error.code, error.detail) == ("FAILED_PRECONDITION", revision)
        assert 0 < client.call("entry", "k")["ttl_ms"] <= 100000


def test_manage__its_own_store(manager):
    own = manager.whoami()
    manager.call("manage", own, "put", "k", "v")
    assert manager.call("get", "k") == "v"


def test_create__makes_the_store_of_a_name_that_is_not_there(broker, manager, name):
    assert manager.code("manage", name, "put", "k", "v") == "NOT_FOUND"
    manager.call("manage", name, "put", "k", "v", {"create": True})
    assert manager.call("manage", name, "get", "k") == "v"
    with broker.client(name) as client:
        assert client.call("get", "k") == "v"


def test_create__a_store_that_is_there__is_used(manager, name):
    manager.call("manage", name, "put", "k", "v", {"create": True})
    manager.call("manage", name, "put", "l", "w", {"create": True})
    assert manager.call("manage", name, "digest")["keys"] == 2


def test_create__failed_put__makes_nothing(manager, name):
    error = manager.error("manage", name, "put", "k", "v", {"create": True, "if_revision": 5})
    assert (error.code, error.detail) == ("FAILED_PRECONDITION", 0)
    assert manager.code("manage", name, "get", "k") == "NOT_FOUND"
    assert name not in clients_of(manager)


@pytest.mark.parametrize("target", (1, "1", "with space", "a/b", "", "n" * 201, "ä"), ids=ascii)
def test_create__not_a_valid_name__is_an_invalid_argument(manager, target):
    assert manager.code("manage", target, "put", "k", "v", {"create": True}) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("secret, code", (("s" * 15, "INVALID_ARGUMENT"), ("s" * 16, None), ("s" * 256, None),
                                          ("s" * 257, "INVALID_ARGUMENT"), (7, "INVALID_ARGUMENT")), ids=lambda value: str(value)[:4])
def test_create__secret_at_its_bounds(manager, name, secret, code):
    assert manager.code("manage", name, "put", "k", "v", {"create": True, "secret": secret}) == code


# -- clients


def test_clients__says_what_each_is(broker, manager, name):
    with broker.client(name) as client:
        client.call("hello", {"secret": SECRET})
        client.call("put", "key", "value")
        entry = clients_of(manager)[name]
        assert set(entry) == CLIENT_FIELDS
        assert {field: entry[field] for field in ("id", "connected", "sessions", "role", "claimed", "keys", "bytes")} == {
            "id": name, "connected": True, "sessions": 1, "role": "guest", "claimed": True, "keys": 1, "bytes": 8}
        assert "127.0.0.1" in entry["peer"]
        assert all(isinstance(entry[field], int) and 0 <= entry[field] < 10**13 for field in ("since_ms", "idle_ms"))


def test_clients__of_a_client_without_sessions__have_the_same_fields(broker, manager, name):
    manager.call("manage", name, "put", "k", "v", {"create": True})
    entry = clients_of(manager)[name]
    assert set(entry) == CLIENT_FIELDS
    assert (entry["connected"], entry["sessions"], entry["keys"]) == (False, 0, 1)


def test_clients__paging_gives_each_once_sorted(broker, manager, name):
    made = [f"{name}-{number:02}" for number in range(25)]
    for one in reversed(made):
        manager.call("manage", one, "put", "k", "v", {"create": True})
    for limit in (1, 7, 25, 26):
        seen, options = [], {"prefix": f"{name}-", "limit": limit}
        while True:
            page = manager.call("clients", options)
            assert len(page["clients"]) <= limit
            seen += [entry["id"] for entry in page["clients"]]
            if not page["more"]:
                break
            options["after"] = seen[-1]
        assert seen == made
    assert manager.call("clients", {"prefix": "no such prefix"}) == {"clients": [], "more": False}
    after = manager.call("clients", {"prefix": f"{name}-", "after": f"{name}-23x"})
    assert [entry["id"] for entry in after["clients"]] == made[24:]


def test_clients__are_sorted_by_the_bytes_of_their_ids(broker, manager):
    with broker.client("Zeta"), broker.client() as numbered:
        numbered.call("ping")
        for name in ("alpha", "Beta", "~", "!"):
            manager.call("manage", name, "put", "k", "v", {"create": True})
        ids = [entry["id"] for entry in manager.call("clients", {"limit": 10000})["clients"]]
        assert ids == sorted(ids)
        assert {"alpha", "Beta", "~", "!"} < set(ids)


# -- stats


def test_stats__are_numbers_by_name(manager):
    stats = manager.call("stats")
    assert stats and all(isinstance(name, str) and isinstance(value, int) for name, value in stats.items())


def test_stats__count_what_happens(broker, manager):
    before = manager.call("stats")
    with broker.client() as client:
        client.call("put", "key", "value")
        client.notify("del", "key")
        assert client.code("get") == "INVALID_ARGUMENT"
        after = manager.call("stats")
    assert set(before) == set(after)
    counted = {"sessions_total": 1, "connects_total": 1, "puts_total": 1, "dels_total": 1, "notifications_total": 1, "errors_total": 1,
               "requests_total": 3}  # the third is `stats`, which counts itself
    assert {name: after[name] - before[name] for name in counted} == counted
