# SPDX-License-Identifier: MPL-2.0
"""Faults of the environment, and peers that do what no ZeroMQ library does: the broker stays up and serves the others."""

import contextlib
import ctypes
import os
import signal
import socket
import struct
import subprocess
import threading

import pytest

from background import Background
from broker import Broker
from client import Client
from kvbroker import start_kvbroker
from managing import clients_of
from project import SANITIZED
from raw_peer import GREETING_SIZE, RawPeer
from rpc import codes, pack, unpack_all
from subscriber import RawSubscriber, subscribed
from waiting import TIMEOUT, wait_until

SECRET = "s" * 16


# -- standard error


def answers_and_stops(process, endpoint):
    try:
        with Client(endpoint, process=process) as client:
            assert client.call("ping") == "pong"
        with Client(endpoint, process=process) as client:  # the broker has written to its log since
            assert client.call("ping") == "pong"
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
    finally:
        process.kill()
        process.wait()


def test_standard_error__whose_reader_is_gone__does_not_end_the_broker(tmp_path):
    reader, writer = os.pipe()
    process, endpoint = start_kvbroker(tmp_path, stderr=writer)
    os.close(writer)
    os.close(reader)
    answers_and_stops(process, endpoint)


def test_standard_error__on_a_full_disk__does_not_end_the_broker(tmp_path):
    with open("/dev/full", "wb") as full:
        process, endpoint = start_kvbroker(tmp_path, stderr=full)
    answers_and_stops(process, endpoint)


def test_standard_streams__closed__are_no_socket_of_the_broker(tmp_path):
    process, endpoint = start_kvbroker(tmp_path, preexec_fn=lambda: os.closerange(0, 3))
    with Client(endpoint, process=process) as client:
        client.call("ping")
        for number in range(3):
            assert os.readlink(f"/proc/{process.pid}/fd/{number}") == "/"  # opened with O_PATH: nothing is read or written
    answers_and_stops(process, endpoint)


# -- descriptors


def test_descriptors__all_taken__those_who_are_there_are_served_and_others_later(tmp_path):
    with Broker(wrapper=["/bin/sh", "-c", 'ulimit -n 64; exec "$@"', "sh"]) as broker, broker.client() as client:
        client.call("ping")
        crowd = [RawPeer(broker.request_endpoint, handshake=False) for _ in range(100)]
        try:
            wait_until(lambda: broker.descriptors() >= 63, what="no descriptor is left")
            assert client.call("put", "k", "v") > 0
            assert client.call("get", "k") == "v"
        finally:
            for peer in crowd:
                peer.close()
        broker.check_serves()


# -- identities


def test_identity__longer_than_zeromq_allows__is_cut_off():
    with Broker() as broker:
        with RawPeer(broker.request_endpoint, handshake=False) as peer:
            peer.send(RawPeer.greeting())
            peer.read(GREETING_SIZE)
            peer.send(RawPeer.ready(identity=b"x" * 256))
            peer.send_frame(pack([0, 1, "ping", []]))
            assert peer.closed()
        broker.check_serves()


@pytest.mark.parametrize("identity", (b"x" * 255, b"\xff" * 255, b"lamp/" + bytes(range(250)), b"/", b"lamp/", b"12", b" ",
                                      b"12/3", b"x" * 201), ids=lambda identity: identity[:6].hex())
def test_identity__of_any_bytes__is_served(identity):
    with Broker() as broker, broker.client() as other:
        with RawPeer(broker.request_endpoint, identity) as peer:
            peer.send_frame(pack([0, 1, "hello", []]))
            (answer,) = unpack_all(peer.read_frame()[1])
            assert answer[2] is None
            assert (answer[3]["client"] == "lamp") == identity.startswith(b"lamp/")
        assert other.call("ping") == "pong"


def test_identity__of_another_that_lives__floods_and_is_reset__does_not_end_the_broker():
    """libzmq never reads the second connection, and used to abort about 10 s later, at its next heartbeat."""
    with Broker() as broker, broker.client("lamp/1") as lamp:
        lamp.call("ping")
        with RawPeer(broker.request_endpoint, b"lamp/1") as second:
            second.reset_at_close()
            second.send(RawPeer.frame(pack([0, 1, "ping", []])) * 3000)
        with pytest.raises(subprocess.TimeoutExpired):
            broker.process.wait(12)
        assert lamp.call("ping") == "pong"


# -- commands of ZMTP

PING = b"\x04PING\x00\x01"
# {command: what its sender gets}. libzmq answers a PING, ignores most other commands, and takes the two that belong to other
# socket types for messages. Bytes that are no command it ignores, or it cuts the connection.
COMMANDS = {
    b"\x04PING\x00\x00": "pong", PING + b"c" * 16: "pong", PING + b"c" * 17: "pong", b"\x04PING": "pong", b"\x04PING\x00": "pong",
    b"\x04PONG": "nothing", b"\x04PONG" + b"c" * 200: "nothing", b"\x04JOIN" + b"g" * 20: "nothing", b"\x05LEAVE": "nothing",
    b"\x09SUBSCRIBE" + b"x" * 20: "message", b"\x06CANCEL": "message",
    b"\x05ERROR\x00": "malformed", b"\x05ERROR\xff": "malformed", b"\x05READY": "malformed", b"\x05HELLO": "malformed",
    b"\x00": "malformed", b"\xff": "malformed", b"\x04ping": "malformed",
}
commands = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[:8].hex())


def read_until(peer, last):
    """Returns the frames (flags, body) up to the first for whose body LAST is true, and whether it came before the end."""
    frames = []
    try:
        while not frames or not last(frames[-1][1]):
            frames.append(peer.read_any_frame())
    except ConnectionError:
        return frames, False
    return frames, True


def check_pongs(command, pongs):
    assert len(pongs) == 3 and all(body.startswith(b"\x04PONG") for body in pongs), pongs
    if len(command) >= len(PING):  # not for a PING without its TTL: see SECURITY.md
        assert {body[5:] for body in pongs} == {command[7:][:16]}, pongs


@commands
@pytest.mark.parametrize("more", (0, RawPeer.MORE), ids=("", "more"))
def test_zmtp_commands__after_the_handshake__the_sender_is_served_on_or_cut_and_others_are_served(broker, command, more):
    kind = COMMANDS[command]
    with RawPeer(broker.request_endpoint) as peer:
        peer.send(RawPeer.frame(command, RawPeer.COMMAND | more) * 3)
        for msgid in (1, 2):
            peer.send_frame(pack([0, msgid, "ping", []]))
        frames, whole = read_until(peer, lambda body: body == pack([1, 2, None, "pong"]))
        assert whole or kind == "malformed", frames
        pongs = [body for flags, body in frames if flags & RawPeer.COMMAND]
        answers = [answer for flags, body in frames if not flags & RawPeer.COMMAND for answer in unpack_all(body)]
        errors = [(msgid, code) for msgid, code in codes(answers) if code]
        if kind == "pong":
            check_pongs(command, pongs)
        else:
            assert not pongs
        if kind == "message":  # three messages, or with MORE three frames before the first request
            assert set(errors) == {(0, "INVALID_ARGUMENT")} and (len(errors) == 1 or not more)
            assert len(answers) - len(errors) == (1 if more else 2)
        elif whole:
            assert [answer[1:] for answer in answers] == [[1, None, "pong"], [2, None, "pong"]]
    broker.check_serves()


@commands
def test_zmtp_commands__to_the_event_socket__the_sender_hears_on_or_is_cut_and_others_hear(own_broker, command):
    with own_broker.manager() as manager, subscribed(manager, ["/"]) as other, RawSubscriber(manager.call("events")) as peer:
        peer.send(RawPeer.command(command) * 3)
        peer.subscribe(b"/")
        frames, whole = read_until(peer, lambda body: body == b"/")
        assert whole or COMMANDS[command] == "malformed", frames
        if COMMANDS[command] == "pong":
            check_pongs(command, [body for flags, body in frames if flags & RawPeer.COMMAND])
        other.sync()


def test_zmtp_pings__that_are_sent_without_reading__are_bounded():
    """libzmq allocates a timer for each ping and frees it soon. A sanitizer would keep about 30 MB of freed timers."""
    sanitizer = ["env", "ASAN_OPTIONS=detect_leaks=1:quarantine_size_mb=0:thread_local_quarantine_size_kb=0"]
    ping = RawPeer.command(PING + b"c" * 16)
    with Broker(wrapper=sanitizer if SANITIZED else ()) as broker:
        broker.check_serves()
        before = broker.rss()
        with RawPeer(broker.request_endpoint, receive_buffer=4096) as peer:
            peer.socket.settimeout(1)
            with contextlib.suppress(ConnectionError, socket.timeout):
                for _ in range(400):
                    peer.send(ping * 1000)
            broker.check_serves()
            assert broker.rss() - before < 2 << 20  # 10 MB were sent


def unseeded_routing_ids(count=8):
    """Returns the routing ids that libzmq may give its first peer without an identity if nobody has seeded rand(3). Which of
    them it is depends on how many sockets were made before."""
    libc = ctypes.CDLL(None)
    libc.srand(1)  # the seed of a program that never calls srand
    numbers = [libc.rand() for _ in range(count + 1)]
    return [b"\0" + struct.pack(">I", (low | high << 31) & 0xffffffff) for low, high in zip(numbers, numbers[1:])]


def test_identity__that_libzmq_would_give_to_its_next_peer__is_not_known_beforehand():
    """A peer that claims this identity ends the process. If the numbers were constant, anybody could do that."""
    with Broker() as broker, contextlib.ExitStack() as claims:
        for identity in unseeded_routing_ids():
            claims.enter_context(RawPeer(broker.request_endpoint, identity)).send_frame(pack([0, 1, "ping", []]))
        with broker.client() as nameless:
            assert nameless.call("ping") == "pong"


# -- storms


def test_storm__connections_that_come_and_go__leave_nothing(broker):
    """Some send nothing, some half a greeting, some a whole request without waiting for the answer."""
    whole = RawPeer.greeting() + RawPeer.ready() + RawPeer.frame(pack([0, 1, "put", ["k", "v"]]))
    broker.check_serves()
    idle = broker.descriptors()
    with broker.client("watcher/1") as watcher:
        watcher.call("ping")
        for number in range(1000 if SANITIZED else 3000):
            with RawPeer(broker.request_endpoint, handshake=False) as peer:
                if number % 3:
                    peer.reset_at_close()
                try:
                    peer.send(whole[:number % (len(whole) + 1)] if number % 2 else whole)
                except ConnectionError:
                    pass
        assert watcher.call("ping") == "pong"
        assert watcher.call("auth", "adam", "eve") == {"role": "manager"}
        wait_until(lambda: watcher.call("stats")["sessions"] == 1, what="no session is left over")
        assert set(clients_of(watcher)) == {"watcher"}
    wait_until(lambda: broker.descriptors() <= idle, what="every descriptor is free again")


def test_storm__sessions_that_are_cut_while_others_come__others_stay(broker):
    """The broker cuts a connection by its descriptor. It must not cut a new connection that has the same descriptor by then."""
    with broker.client("lamp/owner") as owner:
        owner.call("hello", {"secret": SECRET})
        wrong = RawPeer.frame(pack([0, 1, "hello", [{"secret": "w" * 16}]]))
        flood = wrong + RawPeer.frame(pack([0, 7, "ping", []])) * 1100
        enough = threading.Event()

        def attack():
            while not enough.is_set():
                with contextlib.suppress(ConnectionError), RawPeer(broker.request_endpoint, b"lamp/thief") as peer:
                    peer.send(flood)

        attackers = [Background(attack) for _ in range(2)]
        try:
            for _ in range(60 if SANITIZED else 100):
                with RawPeer(broker.request_endpoint) as innocent:
                    for number in range(3):
                        innocent.send_frame(pack([0, number, "ping", []]))
                        assert unpack_all(innocent.read_frame()[1]) == [[1, number, None, "pong"]]
        finally:
            enough.set()
            for attacker in attackers:
                attacker.join()
        for attacker in attackers:
            attacker.finish()
        assert owner.call("ping") == "pong"
