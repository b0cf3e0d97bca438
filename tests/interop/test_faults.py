# SPDX-License-Identifier: MPL-2.0
"""Faults of the surroundings, and peers that no ZeroMQ library is: the broker stays, and serves the others."""

import os
import signal
import socket
import struct
import subprocess
import threading

import pytest

from kvtest import SANITIZED, TIMEOUT, Broker, Client, RawPeer, binary_of, clients_of, pack, unpack_all, wait_until

SECRET = "s" * 16


def serves(broker):
    with broker.client() as client:
        client.call("put", "k", "v")
        assert client.call("get", "k") == "v"


# -- standard error


def spawned(folder, **streams):
    """A broker whose standard streams are given, and an endpoint of it."""
    endpoint = f"ipc://{folder}/requests"
    command = [binary_of("kvbroker"), "--set", f"listen/requests={endpoint}", "--set", f"listen/events=ipc://{folder}/events"]
    return subprocess.Popen(command, **streams), endpoint


def answers_and_stops(process, endpoint):
    try:
        with Client(endpoint, process=process) as client:
            assert client.call("ping") == "pong"
        with Client(endpoint, process=process) as client:  # the log has had lines since
            assert client.call("ping") == "pong"
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
    finally:
        process.kill()
        process.wait()


def test_standard_error__whose_reader_is_gone__does_not_end_the_broker(tmp_path):
    reader, writer = os.pipe()
    process, endpoint = spawned(tmp_path, stderr=writer)
    os.close(writer)
    os.close(reader)
    answers_and_stops(process, endpoint)


def test_standard_error__on_a_full_disk__does_not_end_the_broker(tmp_path):
    with open("/dev/full", "wb") as full:
        process, endpoint = spawned(tmp_path, stderr=full)
    answers_and_stops(process, endpoint)


def test_standard_streams__closed__are_no_socket_of_the_broker(tmp_path):
    process, endpoint = spawned(tmp_path, preexec_fn=lambda: os.closerange(0, 3))
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
        serves(broker)


# -- identities


def test_identity__longer_than_zeromq_allows__is_cut_off():
    with Broker() as broker:
        with RawPeer(broker.request_endpoint, handshake=False) as peer:
            peer.send(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
            peer.read(64)
            ready = b"\x05READY" + RawPeer.metadata(b"Socket-Type", b"DEALER") + RawPeer.metadata(b"Identity", b"x" * 256)
            peer.send(bytes([RawPeer.COMMAND | RawPeer.LONG]) + struct.pack(">Q", len(ready)) + ready)
            peer.send_frame(pack([0, 1, "ping", []]))
            assert peer.closed()
        serves(broker)


@pytest.mark.parametrize("identity", (b"x" * 255, b"\xff" * 255, b"lamp/" + bytes(range(250)), b"/", b"lamp/", b"12", b" ",
                                      b"12/3", b"x" * 201), ids=lambda identity: identity[:6].hex())
def test_identity__of_any_bytes__is_served(identity):
    with Broker() as broker, broker.client() as other:
        with RawPeer(broker.request_endpoint, handshake=False) as peer:
            peer.send(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
            peer.read(64)
            ready = b"\x05READY" + RawPeer.metadata(b"Socket-Type", b"DEALER") + RawPeer.metadata(b"Identity", identity)
            head = [RawPeer.COMMAND | RawPeer.LONG] if len(ready) > 255 else [RawPeer.COMMAND, len(ready)]
            peer.send(bytes(head) + (struct.pack(">Q", len(ready)) if len(ready) > 255 else b"") + ready)
            peer.read_any_frame()
            peer.send_frame(pack([0, 1, "hello", []]))
            (answer,) = unpack_all(peer.read_frame()[1])
            assert answer[2] is None
            assert (answer[3]["client"] == "lamp") == identity.startswith(b"lamp/")
        assert other.call("ping") == "pong"


def test_identity__of_another_that_lives__floods_and_is_reset__does_not_end_the_broker():
    """libzmq never reads that connection, and aborted some 10 s later, at its next heartbeat."""
    with Broker() as broker, broker.client("lamp/1") as lamp:
        lamp.call("ping")
        with RawPeer(broker.request_endpoint, b"lamp/1") as second:
            second.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            second.send(RawPeer.frame(pack([0, 1, "ping", []])) * 3000)
        with pytest.raises(subprocess.TimeoutExpired):
            broker.process.wait(12)
        assert lamp.call("ping") == "pong"


# -- commands of ZMTP

COMMANDS = [
    b"\x04PING\x00\x00", b"\x04PING\x00\x01" + b"c" * 16, b"\x04PING\x00\x01" + b"c" * 17, b"\x04PING", b"\x04PING\x00",
    b"\x04PONG", b"\x04PONG" + b"c" * 200, b"\x09SUBSCRIBE" + b"x" * 20, b"\x06CANCEL", b"\x04JOIN" + b"g" * 20, b"\x05LEAVE",
    b"\x05ERROR\x00", b"\x05ERROR\xff", b"\x05READY", b"\x05HELLO", b"\x00", b"\xff", b"\x04ping",
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[:8].hex())
def test_zmtp_commands__after_the_handshake__harm_nobody(broker, command):
    for flags in (RawPeer.COMMAND, RawPeer.COMMAND | RawPeer.MORE):
        with RawPeer(broker.request_endpoint) as peer:
            try:
                peer.send((bytes([flags, len(command)]) + command) * 3 + RawPeer.frame(pack([0, 1, "ping", []])))
                peer.socket.settimeout(0.05)
                peer.socket.recv(4096)
            except (ConnectionError, TimeoutError, socket.timeout):
                pass  # cut off, or passed over: as libzmq sees fit
    serves(broker)


def test_zmtp_pings__that_are_sent_without_reading__are_bounded(broker):
    serves(broker)
    before = broker.rss()
    ping = b"\x04\x17\x04PING\x00\x01" + b"c" * 16
    with RawPeer(broker.request_endpoint, receive_buffer=4096) as peer:
        peer.socket.settimeout(1)
        try:
            for _ in range(400):
                peer.send(ping * 1000)
        except (ConnectionError, socket.timeout):
            pass
        serves(broker)
    assert broker.rss() - before < (64 << 20 if SANITIZED else 8 << 20)


# -- storms


def test_storm__connections_that_come_and_go__leave_nothing(broker):
    """Some say nothing, some half a greeting, some a whole request that nobody waits for."""
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
    ready = b"\x05READY" + RawPeer.metadata(b"Socket-Type", b"DEALER")
    whole = greeting + bytes([RawPeer.COMMAND, len(ready)]) + ready + RawPeer.frame(pack([0, 1, "put", ["k", "v"]]))
    serves(broker)
    idle = broker.descriptors()
    with broker.client("watcher/1") as watcher:
        watcher.call("ping")
        for number in range(1000 if SANITIZED else 5000):
            with RawPeer(broker.request_endpoint, handshake=False) as peer:
                if number % 3:
                    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
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
    """A cut is by descriptor: it must not hit whoever has the number by then."""
    with broker.client("lamp/owner") as owner:
        owner.call("hello", {"secret": SECRET})
        wrong = RawPeer.frame(pack([0, 1, "hello", [{"secret": "w" * 16}]]))
        flood = wrong + RawPeer.frame(pack([0, 7, "ping", []])) * 1100
        enough = threading.Event()

        def attack():
            while not enough.is_set():
                try:
                    with RawPeer(broker.request_endpoint, b"lamp/thief") as peer:
                        peer.send(flood)
                except (ConnectionError, AssertionError):
                    pass

        attackers = [threading.Thread(target=attack) for _ in range(2)]
        for attacker in attackers:
            attacker.start()
        try:
            for _ in range(60 if SANITIZED else 200):
                with RawPeer(broker.request_endpoint) as innocent:
                    for number in range(3):
                        innocent.send_frame(pack([0, number, "ping", []]))
                        assert unpack_all(innocent.read_frame()[1]) == [[1, number, None, "pong"]]
        finally:
            enough.set()
            for attacker in attackers:
                attacker.join()
        assert owner.call("ping") == "pong"
