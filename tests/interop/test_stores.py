# SPDX-License-Identifier: MPL-2.0
"""What a client sees of its store over the wire: PROTOCOL.md, sections 4 and 7. (The engine's own tests go deeper.)"""

import time

from broker import Broker
from chance import rounds, seeded
from project import SANITIZED
from rpc import RpcError
from stores import digest_of, entries_of
from waiting import wait_until


def test_put__revisions_rise_and_entry_shows_the_last(client):
    first = client.call("put", "k", "v")
    second = client.call("put", "k", "w")
    assert second > first
    assert client.call("entry", "k") == {"value": "w", "revision": second, "ttl_ms": None}


def test_del__gives_a_revision_and_then_nil(client):
    revision = client.call("put", "k", "v")
    assert client.call("del", "k") > revision
    assert client.call("del", "k") is None
    assert client.call("entry", "k") is None


def test_empty_value__is_not_an_absent_key(client):
    client.call("put", "k", "")
    assert client.call("get", "k") == ""
    assert client.call("entry", "k")["value"] == ""


def test_list__is_in_byte_order_by_prefix(client):
    keys = ["a", "a/", "a/b", "a/ä", "a/b/c", "b", "A", "a0", "\0", "ÿ", "€", "😀"]
    for key in keys:
        client.call("put", key, key)
    assert [entry[0] for entry in entries_of(client)] == sorted(keys, key=str.encode)
    assert [entry[0] for entry in entries_of(client, "a/")] == ["a/", "a/b", "a/b/c", "a/ä"]
    assert [entry[0] for entry in entries_of(client, "a/", limit=1)] == ["a/", "a/b", "a/b/c", "a/ä"]
    assert client.call("list", "c") == {"seq": client.seq(), "entries": [], "more": False}


def test_list__keys_change_between_pages__what_stays_is_seen_once(client):
    for number in range(100):
        client.call("put", f"{number:03}", "v")
    page = client.call("list", "", {"limit": 50})
    client.call("del", page["entries"][-1][0])
    client.call("del", "070")
    client.call("put", "010x", "new, before")
    client.call("put", "080x", "new, behind")
    rest = client.call("list", "", {"after": page["entries"][-1][0]})
    keys = [entry[0] for entry in page["entries"] + rest["entries"]]
    assert keys == sorted({f"{number:03}" for number in range(100)} - {"070"} | {"080x"})


def test_list__a_page_ends_at_a_mebibyte(client):
    for number in range(20):
        client.call("put", f"k{number:02}", "v" * 100000)
    page = client.call("list")
    assert page["more"] is True
    assert 5 <= len(page["entries"]) <= 11
    assert [entry[0] for entry in entries_of(client)] == [f"k{number:02}" for number in range(20)]


def test_list__an_entry_larger_than_a_page__comes_alone(client):
    for key in ("a", "b"):
        client.call("put", key, "v" * 1048576)
    page = client.call("list")
    assert [entry[0] for entry in page["entries"]] == ["a"] and page["more"] is True


def test_ttl__an_entry_is_gone_at_its_time(client):
    begin = time.monotonic()
    client.call("put", "k", "v", {"ttl_ms": 300})
    put = time.monotonic()  # it expires 0.3 s after a moment between `begin` and `put`
    asked, entry = time.monotonic(), client.call("entry", "k")
    while entry:
        assert 0 < entry["ttl_ms"] <= 300 and asked < put + 0.301  # the broker counts whole milliseconds
        asked, entry = time.monotonic(), client.call("entry", "k")
    assert time.monotonic() >= begin + 0.299
    assert client.call("get", "k") is None
    assert client.call("digest") == {"seq": client.call("list")["seq"], "digest": 0, "keys": 0}


def test_ttl__put_without_one__makes_the_entry_permanent(client):
    client.call("put", "k", "v", {"ttl_ms": 200})
    client.call("put", "k", "w")
    client.call("put", "timer", "v", {"ttl_ms": 400})
    wait_until(lambda: client.call("get", "timer") is None)
    assert client.call("entry", "k")["ttl_ms"] is None


def test_ttl__an_expiry_takes_a_number_of_the_sequence(broker):
    with broker.client() as client:
        client.call("put", "k", "v", {"ttl_ms": 50})
        wait_until(lambda: client.call("get", "k") is None)
        before = client.seq()
        client.call("put", "k", "v", {"ttl_ms": 50})
        wait_until(lambda: client.call("get", "k") is None)
        assert client.seq() == before + 2


def test_ttl__expires_while_the_broker_is_idle(broker):
    with broker.client("expiry-watched") as client, broker.manager() as manager:
        client.call("put", "k", "v", {"ttl_ms": 100})
        wait_until(lambda: manager.call("clients", {"prefix": "expiry-watched"})["clients"][0]["keys"] == 0)


def test_random_operations__agree_with_a_model_and_its_digest(client):
    chance = seeded()
    model = {}
    seq = client.seq()
    for _ in range(rounds(300 if SANITIZED else 600)):
        key = f"key {chance.randrange(40)}"
        value = chance.choice(("", b"", "text", chance.randbytes(chance.randrange(300)), "ü" * chance.randrange(100)))
        kind = chance.random()
        if kind < 0.5:
            condition = chance.choice((None, None, 0, model.get(key, (0, 0))[1]))
            options = {} if condition is None else {"if_revision": condition}
            has = model.get(key, (None, 0))[1]
            try:
                revision = client.call("put", key, value, options)
                assert condition in (None, has)
                assert revision > seq
                seq = revision
                model[key] = (value, revision)
            except RpcError as error:
                assert error.code == "FAILED_PRECONDITION" and condition != has and error.detail == has
        elif kind < 0.7:
            revision = client.call("del", key)
            assert (revision is None) == (model.pop(key, None) is None)
        else:
            assert client.call("get", key) == model.get(key, (None,))[0]
    entries = entries_of(client, limit=7)
    assert {key: (value, revision) for key, value, revision, _ in entries} == model
    digest = client.call("digest")
    assert (digest["keys"], digest["digest"]) == (len(model), digest_of(model))


def test_limits__a_full_store_says_so_and_keeps_what_it_has():
    options = {"limits/keys_per_client": 3, "limits/bytes_per_client": 100}
    with Broker(options=options) as broker, broker.client() as client, broker.client() as other:
        for key in "abc":
            client.call("put", key, "v")
        assert client.code("put", "d", "v") == "RESOURCE_EXHAUSTED"
        assert client.code("put", "a", "v" * 96) == "RESOURCE_EXHAUSTED"
        assert client.code("put", "a", "v" * 95) is None
        assert [entry[0] for entry in entries_of(client)] == ["a", "b", "c"]
        assert client.call("del", "a") > 0
        assert client.code("put", "d", "v") is None
        assert other.code("put", "a", "v") is None


def test_payload__of_many_puts__is_one_run_of_the_sequence(client):
    revisions = client.batch(*(("put", f"k{number}", "v") for number in range(1000)))
    assert revisions == list(range(revisions[0], revisions[0] + 1000))


def test_digest__first_of_a_large_store__waits_with_what_is_behind_it(broker):
    """The broker computes it in pieces. The answers keep their order, and the digest is that of the moment of its answer."""
    with broker.client("large/1") as client, broker.client("large/2") as beside:
        for start in range(0, 20000, 4000):
            client.batch(*(("put", f"k{number:05}", f"v{number}") for number in range(start, start + 4000)))
        answers = client.batch(("digest",), ("put", "k00000", "w"), ("get", "k00000"))
        assert answers[1] > answers[0]["seq"] and answers[2] == "w"
        assert answers[0]["keys"] == 20000
        digest = beside.call("digest")
        entries = {key: (value, revision) for key, value, revision, _ in entries_of(client)}
        assert (digest["keys"], digest["digest"]) == (20000, digest_of(entries))
