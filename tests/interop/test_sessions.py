# SPDX-License-Identifier: MPL-2.0
"""Identity, sessions and roles: PROTOCOL.md, section 3."""

import time

import pytest
import zmq

from broker import Broker
from hashes import secret_hash
from managing import clients_of, wait_disconnected
from raw_peer import RawPeer
from rpc import RpcError, pack, unpack_all
from waiting import TIMEOUT, wait_until

SECRET = "sixteen bytes or more of a secret"


def gone(manager, client_id):
    wait_until(lambda: client_id not in clients_of(manager), what=f"client {client_id} is gone")


# -- names


def test_name__as_socket_identity__is_the_client_id(broker, name):
    with broker.client(name) as client:
        assert client.whoami() == name


def test_name__with_instances__is_one_client_with_one_store(broker, manager, name):
    with broker.client(f"{name}/left") as left, broker.client(f"{name}/right") as right:
        left.call("put", "k", "v")
        assert right.call("get", "k") == "v"
        assert (left.whoami(), right.whoami()) == (name, name)
        assert clients_of(manager)[name]["sessions"] == 2
    wait_disconnected(manager, name)
    assert manager.call("manage", name, "get", "k") == "v"


@pytest.mark.parametrize("instance", (b"", b"/", b"a/b", b"\0\xff\n", b"7", b"x" * 200), ids=repr)
def test_instance__is_anything(broker, name, instance):
    with broker.client(name.encode() + b"/" + instance) as client:
        assert client.whoami() == name


def test_name__of_200_bytes__is_valid_of_201_is_not(broker):
    with broker.client("n" * 200) as client:
        assert client.whoami() == "n" * 200
    with broker.client("n" * 201) as client:
        assert client.whoami().isdigit()


@pytest.mark.parametrize("identity", (b"40000", b"7/instance", b"with space", b"/instance", b"\x01binary", b"caf\xc3\xa9",
                                      b"\x7f", b"tab\t"), ids=repr)
def test_identity__without_a_valid_name__is_a_numbered_client(broker, identity):
    with broker.client(identity) as client:
        assert client.whoami().isdigit()
        assert client.whoami() != identity.decode("latin-1")


@pytest.mark.parametrize("identity, quoted", (
    (b"my lamp", "my lamp"), ("gr\u00f6\u00dfe".encode(), "gr\u00f6\u00dfe"), (b"48106", "48106"), (b"48106/1", "48106/1"),
    (b"/another", "/another"), (b"lamp\n", "lamp\\n"), (b"a\xff\x1b[2J", "a\\xff\\x1b[2J"), (b'a "b"', 'a \\"b\\"'),
    (b"n" * 255, "n" * 44 + "..."), (b"\xff" * 255, "\\xff" * 11 + "..."), (b"\x01" + 254 * b"\0", None)), ids=repr)
def test_identity__that_is_no_name__is_noted_in_hello_and_logged(broker, identity, quoted):
    since = len(broker.lines)
    with broker.client(identity) as client:
        hello = client.call("hello")
        assert hello["note"].startswith('the socket identity "') and len(hello["note"].encode()) <= 250
        assert hello["note"].endswith("not digits alone")
        line = broker.wait_log(f"client {hello['client']} from 127.0.0.1 has a number", since=since)
        assert " warning " in line and line.endswith('is not a valid name') and len(line) < 250 and line.isprintable()
        if quoted:
            assert f'"{quoted}"' in hello["note"]
        assert client.call("hello", {})["note"] == hello["note"]
    # Lines about clients of earlier tests may come late.
    assert len([line for line in broker.lines[since:] if f"client {hello['client']} from 127.0.0.1 has a number" in line]) == 1


@pytest.mark.parametrize("identity", (None, b"lamp", b"lamp/1", b"lamp/\xff \0"))
def test_identity__that_is_a_name_or_none__is_not_noted(broker, identity):
    since = len(broker.lines)
    with broker.client(identity) as client:
        hello = client.call("hello")
        assert hello["note"] is None
    broker.wait_log(rf"client {hello['client']} disconnected", since=since)  # so that all that was logged about it has come
    assert not [line for line in broker.lines[since:] if f"client {hello['client']} from 127.0.0.1 has a number" in line]


@pytest.mark.parametrize("name_of_signs", ("!", "~", "a.b:c@d", "123x", "-"))
def test_name__any_printable_ascii__is_valid(broker, name_of_signs):
    with broker.client(name_of_signs) as client:
        assert client.whoami() == name_of_signs


def test_name__req_socket__is_named_too(broker, name):
    with broker.client(name, kind=zmq.REQ) as client:
        assert client.whoami() == name


def test_identity__second_live_connection_with_it__gets_no_answer_the_first_goes_on(broker, name):
    with broker.client(f"{name}/one") as first:
        first.call("put", "k", "v")  # it is connected before the other tries
        with broker.client(f"{name}/one", exact=True) as second:
            second.request("get", "k")
            for _ in range(20):
                assert first.call("get", "k") == "v"
            assert second.silent(0.2)  # an answer never comes, so there is nothing to wait for


def test_identity__again_after_the_peer_was_killed__is_served(broker, manager, name):
    peer = broker.peer(identity=f"{name}/same")
    peer.do("call", method="put", params=["k", "v"])
    peer.kill()
    wait_disconnected(manager, name)
    with broker.client(f"{name}/same") as client:
        assert client.call("get", "k") == "v"


def test_named_store__stays_without_sessions(broker, manager, name):
    with broker.client(name) as client:
        client.call("put", "k", "v")
    wait_disconnected(manager, name)
    entry = clients_of(manager)[name]
    assert (entry["connected"], entry["sessions"], entry["keys"]) == (False, 0, 1)


def test_name__without_keys_and_sessions__is_forgotten(broker, manager, name):
    with broker.client(name) as client:
        client.call("put", "k", "v")
        client.call("del", "k")
    gone(manager, name)
    assert manager.code("manage", name, "get", "k") == "NOT_FOUND"


def test_name__last_key_deleted_by_a_manager__is_forgotten(broker, manager, name):
    with broker.client(name) as client:
        client.call("put", "k", "v")
    wait_disconnected(manager, name)
    manager.call("manage", name, "del", "k")
    gone(manager, name)


def test_name__last_key_expires__is_forgotten(broker, manager, name):
    with broker.client(name) as client:
        client.call("put", "k", "v", {"ttl_ms": 300})
    gone(manager, name)


# -- numbers


def test_numbers__begin_at_ids_first_and_the_freed_one_comes_last():
    with Broker(options={"ids/first": 40000, "ids/last": 40003}) as broker, broker.manager() as manager:
        assert manager.whoami() == "40000"
        first, second = broker.client(), broker.client()
        assert (first.whoami(), second.whoami()) == ("40001", "40002")
        first.call("put", "k", "of the first")
        assert first.call("bye") is True
        third, fourth = broker.client(), broker.client()
        assert (third.whoami(), fourth.whoami()) == ("40003", "40001")
        assert fourth.call("get", "k") is None
        assert fourth.call("digest")["keys"] == 0
        fifth, sixth = broker.client(), broker.client()
        assert (fifth.whoami(), sixth.whoami()) == ("65536", "65537")
        assert second.call("bye") is True
        assert broker.client().whoami() == "40002"


def test_numbers__default_range(broker):
    with broker.client() as client:
        assert 32768 <= int(client.whoami()) <= 60999


def test_numbered_store__is_dropped_with_its_session(broker, manager):
    with broker.client() as client:
        number = client.whoami()
        client.call("put", "k", "v")
        assert manager.call("manage", int(number), "get", "k") == "v"
    gone(manager, number)
    assert manager.code("manage", int(number), "get", "k") == "NOT_FOUND"


# -- claims


def test_claim__later_sessions_must_give_the_secret(broker, name):
    with broker.client(f"{name}/owner") as owner:
        assert owner.call("hello", {"secret": SECRET})["client"] == name
        owner.call("put", "k", "v")
        with broker.client(f"{name}/other") as other:
            for method, params in (("get", ["k"]), ("hello", []), ("ping", []), ("auth", ["adam", "eve"]), ("bye", [])):
                assert other.code(method, *params) == "UNAUTHENTICATED"
            assert other.call("hello", {"secret": SECRET.encode()})["client"] == name
            assert other.call("get", "k") == "v"


def test_claim__wrong_secret__is_answered_after_a_second_that_holds_up_nobody_else(broker, name):
    with broker.client(f"{name}/owner") as owner, broker.client(f"{name}/thief") as thief:
        owner.call("hello", {"secret": SECRET})
        start, beside = time.monotonic(), 0
        msgids = [thief.request("hello", {"secret": "w" * 16}), thief.request("ping"),
                  thief.request("hello", {"secret": SECRET})]
        while thief.silent(0):
            assert owner.call("ping") == "pong"
            beside += 1
        assert beside > 1  # one ping may have waited together with it
        with pytest.raises(RpcError, match="UNAUTHENTICATED"):
            thief.result(msgids[0])
        assert 0.95 <= time.monotonic() - start < TIMEOUT
        with pytest.raises(RpcError, match="UNAUTHENTICATED"):
            thief.result(msgids[1])
        assert thief.result(msgids[2])["client"] == name


def test_claim__of_a_name_with_another_session__fails(broker, name):
    with broker.client(f"{name}/one") as one, broker.client(f"{name}/two") as two:
        one.send_raw(b"\xc1")  # any payload begins a session
        one.recv()
        assert two.code("hello", {"secret": SECRET}) == "FAILED_PRECONDITION"
        assert two.call("ping") == "pong"


def test_claim__of_a_name_with_keys__fails(broker, name):
    with broker.client(name) as client:
        client.call("put", "k", "v")
        assert client.code("hello", {"secret": SECRET}) == "FAILED_PRECONDITION"
        client.call("del", "k")
        assert client.call("hello", {"secret": SECRET})["client"] == name


def test_claim__of_a_number__fails(broker):
    with broker.client() as client:
        assert client.code("hello", {"secret": SECRET}) == "FAILED_PRECONDITION"
        assert client.call("ping") == "pong"


@pytest.mark.parametrize("size, code", ((15, "INVALID_ARGUMENT"), (16, None), (256, None), (257, "INVALID_ARGUMENT")))
def test_claim__secret_at_its_bounds(broker, name, size, code):
    with broker.client(name) as client:
        assert client.code("hello", {"secret": "s" * size}) == code


def test_claim__the_secret_may_be_any_bytes(broker, name):
    secret = bytes(range(256))
    with broker.client(f"{name}/1") as one, broker.client(f"{name}/2") as two:
        one.call("hello", {"secret": secret})
        assert two.call("hello", {"secret": secret})["client"] == name


def test_claim__stays_with_the_keys_and_goes_with_the_name(broker, manager, name):
    with broker.client(f"{name}/1") as client:
        client.call("hello", {"secret": SECRET})
        client.call("put", "k", "v")
        assert clients_of(manager)[name]["claimed"] is True
    wait_disconnected(manager, name)
    with broker.client(f"{name}/2") as client:
        assert client.code("get", "k") == "UNAUTHENTICATED"
        client.call("hello", {"secret": SECRET})
        client.call("del", "k")
    gone(manager, name)
    with broker.client(f"{name}/3") as client:
        assert client.call("get", "k") is None


def test_claim__a_session_without_the_secret__belongs_to_no_client(broker, manager, name):
    with broker.client(f"{name}/owner") as owner, broker.client(f"{name}/other") as other:
        owner.call("hello", {"secret": SECRET})
        assert other.code("ping") == "UNAUTHENTICATED"
        assert clients_of(manager)[name]["sessions"] == 1


def test_claim__in_the_configuration__needs_the_secret_from_the_first_session_on():
    with Broker(names={"lamp": secret_hash(SECRET)}) as broker, broker.manager() as manager:
        for turn in range(2):  # the claim outlives the name's keys and sessions
            with broker.client(f"lamp/{turn}") as lamp:
                assert lamp.code("get", "k") == "UNAUTHENTICATED"
                assert lamp.code("hello", {"secret": "w" * 16}) == "UNAUTHENTICATED"
                assert lamp.call("hello", {"secret": SECRET})["client"] == "lamp"
                assert lamp.call("get", "k") is None
            wait_disconnected(manager, "lamp")


def test_claim__by_a_manager_that_makes_the_store(broker, manager, name):
    manager.call("manage", name, "put", "k", "v", {"create": True, "secret": SECRET})
    with broker.client(name) as client:
        assert client.code("get", "k") == "UNAUTHENTICATED"
        client.call("hello", {"secret": SECRET})
        assert client.call("get", "k") == "v"


# -- the end of sessions


def test_timeout__an_idle_session_is_told_and_ends():
    with Broker(options={"session/timeout": 1}) as broker, broker.client() as idle, broker.client("quiet/req", kind=zmq.REQ) as req:
        start = time.monotonic()
        number = idle.whoami()
        assert idle.call("hello")["timeout_ms"] == 1000
        req.call("put", "k", "v")
        kind, method, (what,) = idle.recv_push()
        assert (kind, method, what) == (2, "bye", {"reason": "timeout"})
        assert 0.9 <= time.monotonic() - start < TIMEOUT
        with broker.manager() as manager:
            gone(manager, number)
            wait_disconnected(manager, "quiet")
        assert req.call("get", "k") == "v"  # no push to a session with envelopes: REQ would take it for the answer


@pytest.mark.parametrize("payload", (pack([0, 1, "ping", []]), pack([2, "ping", []]), b"\xc1"), ids=("request", "notification", "broken"))
def test_timeout__any_message_keeps_a_session_alive(payload):
    with Broker(options={"session/timeout": 3}) as broker, broker.client() as busy, broker.client() as idle:
        number = busy.whoami()
        busy.call("put", "k", "v")
        idle.whoami()
        sent = 0
        while idle.silent(0.1):  # until an idle session has timed out
            busy.send_raw(payload)
            sent += 1
        assert idle.recv_push()[1] == "bye"
        for _ in range(0 if payload[1:2] == b"\x02" else sent):  # a notification has no answer
            (message,) = unpack_all(busy.recv_payload())
            assert message[0] == 1, message
        assert busy.whoami() == number
        assert busy.call("get", "k") == "v"


@pytest.mark.parametrize("ipc", (False, True), ids=("tcp", "ipc"))
def test_killed_peer__its_session_is_gone(ipc):
    with Broker(ipc=ipc, options={"session/timeout": 600}) as broker, broker.manager() as manager:
        peer = broker.peer(count=20)
        named = broker.peer(identity="named/1")
        named.do("call", method="put", params=["k", "v"])
        assert len(clients_of(manager)) == 22
        for process in (peer, named):
            process.process.kill()
        wait_until(lambda: not any(client["connected"] for client in clients_of(manager).values()
                                   if client["id"] != manager.whoami()), what="the killed peers are gone")
        assert set(clients_of(manager)) == {manager.whoami(), "named"}
        peer.kill()
        named.kill()


def test_killed_peer__reused_number_is_empty():
    with Broker(options={"ids/first": 40000, "ids/last": 40001}) as broker, broker.manager() as manager:
        peer = broker.peer()
        assert peer.hello["ids"] == ["40001"]
        peer.do("call", method="put", params=["k", "of the dead"])
        peer.kill()
        gone(manager, "40001")
        with broker.client() as client:
            assert client.whoami() == "40001"
            assert client.call("get", "k") is None
            assert client.call("list")["entries"] == []


@pytest.mark.parametrize("identity", (b"", b"dead/1"), ids=("numbered", "named"))
@pytest.mark.parametrize("ipc", (False, True), ids=("tcp", "ipc"))
def test_dead_peer__requests_it_had_queued_are_carried_out_and_leave_no_session(identity, ipc):
    with Broker(ipc=ipc) as broker, broker.manager() as manager:
        peer = RawPeer(broker.request_endpoint, identity)
        peer.send_frame(pack([0, 1, "hello", []]))
        name = unpack_all(peer.read_frame()[1])[0][3]["client"]
        with broker.standing_still():
            peer.send(b"".join(RawPeer.frame(pack([0, 1, "put", ["k", f"last words {number}"]])) for number in range(200)))
            peer.close()  # the requests and the end of the connection now wait in the kernel
        # All that was queued has been read once a later connection's request is answered and the dead peer is gone.
        with broker.client() as later:
            later.call("ping")
        wait_disconnected(manager, name)
        wait_until(lambda: {one["id"] for one in clients_of(manager).values() if one["connected"]} == {manager.whoami()})
        for _ in range(50):
            everybody = clients_of(manager)
            assert [one["id"] for one in everybody.values() if one["connected"]] == [manager.whoami()]
        if identity:
            assert manager.call("manage", "dead", "get", "k") == "last words 199"
        else:
            assert set(everybody) == {manager.whoami()}


def test_bye__ends_the_session_and_the_rest_of_the_payload_is_dropped(broker, manager, name):
    with broker.client(name) as client:
        payload = b"".join(pack(message) for message in ([0, 1, "put", ["k", "v"]], [0, 2, "bye", []], [0, 3, "put", ["k", "w"]],
                                                          [2, "put", ["n", "w"]]))
        assert [answer[1:] for answer in client.exchange(payload)][1:] == [[2, None, True]]
        wait_disconnected(manager, name)
        assert manager.call("manage", name, "get", "k") == "v"
        assert manager.call("manage", name, "get", "n") is None


def test_bye__by_notification__ends_the_session(broker, manager):
    with broker.client() as client:
        number = client.whoami()
        client.notify("bye")
        gone(manager, number)


def test_session__begins_with_the_first_payload_a_malformed_one_too(broker, manager, name):
    with broker.client(name) as client:
        client.send_raw(b"\xc1")
        client.recv()
        assert clients_of(manager)[name]["sessions"] == 1


def test_connection__that_sends_nothing__is_no_session(broker, manager, name):
    with broker.client(name), broker.client() as other:
        other.call("ping")
        assert name not in clients_of(manager)


# -- forget


def test_forget__drops_store_claim_and_sessions(broker, manager, name):
    with broker.client(f"{name}/owner") as owner, broker.client(f"{name}/other") as other:
        owner.call("hello", {"secret": SECRET})
        owner.call("put", "k", "v")
        assert other.code("ping") == "UNAUTHENTICATED"
        assert manager.call("forget", name) is True
        assert name not in clients_of(manager)
        assert manager.code("manage", name, "get", "k") == "NOT_FOUND"
    with broker.client(f"{name}/new") as newcomer:
        assert newcomer.call("get", "k") is None


def test_forget__a_claim_of_the_configuration_stays():
    with Broker(names={"lamp": secret_hash(SECRET)}) as broker, broker.manager() as manager:
        with broker.client("lamp/1") as lamp:
            lamp.call("hello", {"secret": SECRET})
            lamp.call("put", "k", "v")
        assert manager.call("forget", "lamp") is True
        with broker.client("lamp/2") as lamp:
            assert lamp.code("get", "k") == "UNAUTHENTICATED"
            lamp.call("hello", {"secret": SECRET})
            assert lamp.call("get", "k") is None


def test_forget__a_numbered_client__fails(broker, manager):
    with broker.client() as client:
        assert manager.code("forget", int(client.whoami())) == "FAILED_PRECONDITION"
        assert client.call("ping") == "pong"


# -- roles


def test_role__promotes_and_demotes_a_live_session(broker, manager):
    with broker.client() as client:
        number = client.whoami()
        assert client.code("clients") == "PERMISSION_DENIED"
        assert manager.call("role", int(number), "manager") == "manager"
        assert client.call("hello")["role"] == "manager"
        assert number in clients_of(client)
        assert clients_of(manager)[number]["role"] == "manager"
        assert manager.call("role", number, "guest") == "guest"
        assert client.code("clients") == "PERMISSION_DENIED"


def test_role__takes_effect_within_a_batch(broker, manager):
    with broker.client() as client:
        number = client.whoami()
        assert manager.batch(("role", number, "manager"), ("clients", {"prefix": number}))[1]["clients"][0]["role"] == "manager"
        assert client.batch(("role", number, "guest"), ("clients",))[1].code == "PERMISSION_DENIED"


def test_role__an_unclaimed_name__is_not_promoted(broker, manager, name):
    with broker.client(name) as client:
        client.call("ping")
        assert manager.code("role", name, "manager") == "FAILED_PRECONDITION"
        assert manager.call("role", name, "guest") == "guest"
        client.call("hello", {"secret": SECRET})
        assert manager.call("role", name, "manager") == "manager"
        assert client.call("hello")["role"] == "manager"


def test_role__without_a_live_session__fails(broker, manager, name):
    with broker.client(name) as client:
        client.call("hello", {"secret": SECRET})
        client.call("put", "k", "v")
    wait_disconnected(manager, name)
    assert manager.code("role", name, "manager") == "FAILED_PRECONDITION"
    assert manager.code("role", name, "guest") == "FAILED_PRECONDITION"


def test_role__ends_with_the_session(broker, manager, name):
    with broker.client(f"{name}/1") as client:
        assert client.call("auth", "adam", "eve") == {"role": "manager"}
        client.call("put", "k", "v")
    wait_disconnected(manager, name)
    with broker.client(f"{name}/1") as client:
        assert client.call("hello")["role"] == "guest"


def test_role__is_each_sessions_own_and_clients_shows_the_highest(broker, manager, name):
    with broker.client(f"{name}/1") as one, broker.client(f"{name}/2") as two:
        one.call("ping")
        two.call("auth", "adam", "eve")
        assert one.code("clients") == "PERMISSION_DENIED"
        assert clients_of(manager)[name]["role"] == "manager"


def test_role__of_every_live_session(broker, manager, name):
    with broker.client(f"{name}/1") as one, broker.client(f"{name}/2") as two:
        one.call("hello", {"secret": SECRET})
        two.call("hello", {"secret": SECRET})
        manager.call("role", name, "manager")
        assert (one.code("stats"), two.code("stats")) == (None, None)
        manager.call("role", name, "guest")
        assert (one.code("stats"), two.code("stats")) == ("PERMISSION_DENIED", "PERMISSION_DENIED")
