# SPDX-License-Identifier: MPL-2.0
"""Listening at an ipc path: it belongs to one broker at a time, a file that is not the socket of a dead broker is left alone,
and the mode of the socket file says who may connect."""

import os
import pathlib
import shutil
import socket
import stat
import subprocess
import sys
import tempfile

import pytest

from broker import Broker
from kvbroker import kvbroker
from subscriber import subscribed
from waiting import TIMEOUT

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
sockets = pytest.mark.parametrize("which", ("requests", "events"))


def at(path, which):
    """Returns the endpoints of a broker that uses PATH for WHICH of its sockets."""
    endpoints = {"requests": ["tcp://127.0.0.1:*"], "events": ["tcp://127.0.0.1:*"]}
    endpoints[which] = [f"ipc://{path}"]
    return endpoints


def refused(broker, text, status=1):
    """Checks that BROKER does not start: it logs TEXT and exits with STATUS."""
    try:
        broker.spawn()
        broker.wait_log(text)
        broker.wait_exit(status)
    finally:
        broker.kill()


def connects(path):
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
    return True


# -- the owner of a path


@sockets
def test_path__of_a_running_broker__is_in_use_for_a_second_one(tmp_path, which):
    path = tmp_path / "socket"
    with Broker(**at(path, which)) as first, first.client("lamp") as old:
        old.call("put", "k", "v")
        refused(Broker(**at(path, which)), r"in use")
        assert connects(path)
        assert old.call("get", "k") == "v"
        with first.manager("boss") as boss, subscribed(boss):
            assert boss.call("manage", "lamp", "get", "k") == "v"


def test_path__on_which_another_program_listens__is_in_use(tmp_path):
    path = tmp_path / "socket"
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        with socket.socket(socket.AF_UNIX, kind) as other:
            other.bind(str(path))
            other.listen(1)
            refused(Broker(**at(path, "requests")), r"in use")
        path.unlink()


def test_path__for_requests_and_events_by_two_names__is_in_use(tmp_path):
    refused(Broker(requests=[f"ipc://{tmp_path}/a"], events=[f"ipc://{tmp_path}/./a"]), r"listen/events.*in use")


@sockets
def test_path__of_a_broker_that_was_killed__is_taken_over(tmp_path, which):
    path = tmp_path / "socket"
    dead = Broker(**at(path, which)).start()
    dead.kill()
    assert stat.S_ISSOCK(path.lstat().st_mode), "the killed broker must leave its socket"
    with Broker(**at(path, which)) as broker, broker.manager() as manager, subscribed(manager):
        assert connects(path)


def make_file(path):
    path.write_text("precious")


def make_link(path):
    path.symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize("make", (make_file, pathlib.Path.mkdir, os.mkfifo, make_link),
                         ids=("file", "folder", "pipe", "link"))
@sockets
def test_path__where_something_else_stands__is_refused_and_left_as_it_is(tmp_path, which, make):
    path = tmp_path / "thing"
    make(path)
    before = path.lstat()
    refused(Broker(**at(path, which)), r"is not a socket", 2)
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert make is not make_file or path.read_text() == "precious"


@pytest.mark.parametrize("make", (make_file, pathlib.Path.mkdir, os.mkfifo, make_link),
                         ids=("file", "folder", "pipe", "link"))
@sockets
def test_path__with_something_else_in_place_of_its_lock__is_refused_and_left_as_it_is(tmp_path, which, make):
    path, lock = tmp_path / "socket", tmp_path / "socket.lock"
    make(lock)
    before = lock.lstat()
    refused(Broker(**at(path, which)), r"not a broker's lock", 2)
    assert (lock.lstat().st_ino, lock.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert make is not make_file or lock.read_text() == "precious"
    assert not path.exists()


def test_path__in_no_folder__says_so(tmp_path):
    refused(Broker(**at(tmp_path / "none" / "socket", "requests")), r"no such folder", 2)


@pytest.mark.parametrize("stale", (False, True), ids=("free", "left_by_the_dead"))
def test_path__of_many_that_start_at_once__is_one_brokers(tmp_path, stale):
    path = tmp_path / "socket"
    for _ in range(4):
        if stale and not path.exists():
            Broker(**at(path, "requests")).start().kill()
        brokers = [Broker(**at(path, "requests")).spawn() for _ in range(6)]
        try:
            for broker in brokers:
                broker.wait_log(r"\bready\b|in use")
            ready = [broker for broker in brokers if "ready" in broker.log()]
            assert len(ready) == 1
            for broker in brokers:
                if broker is not ready[0]:
                    broker.wait_exit(1)
            assert connects(path)
            ready[0].stop()
            assert not path.exists()
        finally:
            for broker in brokers:
                broker.kill()


def test_path__after_its_broker_stopped__is_empty(tmp_path):
    with Broker(requests=[f"ipc://{tmp_path}/r"], events=[f"ipc://{tmp_path}/e"]):
        assert {"r", "e"} <= set(os.listdir(tmp_path))
    assert os.listdir(tmp_path) == []


def test_path__that_a_newer_broker_has__is_not_the_older_ones_to_take_away(tmp_path):
    path = tmp_path / "socket"
    with Broker(**at(path, "requests")) as older:
        for name in os.listdir(tmp_path):
            os.unlink(tmp_path / name)  # as a cleaner of temporary files does
        with Broker(**at(path, "requests")) as newer:
            older.stop()
            assert connects(path)
            refused(Broker(**at(path, "requests")), r"in use")
            with newer.client("lamp") as lamp:
                assert lamp.call("ping") == "pong"


# -- relative paths


def test_relative_path__managers_are_told_the_whole_one(tmp_path):
    with Broker(requests=["ipc://r"], events=["ipc://e"], wrapper=("env", "-C", str(tmp_path))) as broker:
        assert broker.request_endpoint == f"ipc://{tmp_path}/r"
        with broker.manager() as manager, subscribed(manager):
            assert manager.call("events")["endpoint"] == f"ipc://{tmp_path}/e"


def test_relative_path__whose_whole_one_is_too_long__is_refused(tmp_path):
    folder = tmp_path / ("f" * 100)
    folder.mkdir()
    refused(Broker(**at("r", "requests"), wrapper=("env", "-C", str(folder))), r"absolute path is longer than 107 bytes", 2)


# -- who may connect


def mode_of(path):
    return stat.S_IMODE(path.lstat().st_mode)


@sockets
@pytest.mark.parametrize("options, mode", (({}, 0o600), ({"listen/ipc_mode": "0660"}, 0o660),
                                           ({"listen/ipc_mode": "666"}, 0o666)), ids=("default", "group", "all"))
def test_mode__of_the_socket_file__is_as_configured_whatever_the_umask(tmp_path, which, options, mode):
    path = tmp_path / "socket"
    for umask in ("0", "777"):
        with Broker(**at(path, which), options=options, wrapper=("sh", "-c", f'umask {umask}; exec "$@"', "sh")):
            assert mode_of(path) == mode


@needs_root
def test_group__of_the_socket_file__is_as_configured(tmp_path):
    path = tmp_path / "socket"
    for group in ("nogroup", str(NOBODY)):
        with Broker(**at(path, "requests"), options={"listen/ipc_group": group, "listen/ipc_mode": "660"}):
            assert (path.lstat().st_gid, mode_of(path)) == (NOBODY, 0o660)


@needs_root
@sockets
def test_group__that_the_broker_may_not_give__is_refused_alike_by_the_check_and_by_the_start(tmp_path, which):
    endpoints = {"requests": "tcp://127.0.0.1:*", "events": "tcp://127.0.0.1:*", which: f"ipc://{tmp_path}/socket"}
    sets = [f"--set=listen/{what}={endpoint}" for what, endpoint in endpoints.items()]
    for arguments in (["--check-config"], []):
        done = kvbroker(*arguments, *sets, f"--set=listen/ipc_group={NOBODY}", wrapper=["setpriv", "--bounding-set=-chown"])
        assert (done.returncode, done.stdout) == (2, b""), done
        assert done.stderr.decode() == (f"listen/{which}: ipc://{tmp_path}/socket: its file cannot be given to listen/ipc_group: "
                                        "choose a group that the broker's user is in\n")
    assert not list(tmp_path.iterdir())


CONNECT = """
import os, socket, sys
path, last = sys.argv[1:]
os.setgid(65534), os.setuid(65534)
print("begun", flush=True)
while True:
    ends = os.path.exists(last)
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(path) == 0:
            sys.exit("connected")
    if ends:
        sys.exit(0)
"""


@pytest.fixture
def open_folder():
    """A folder that every user may enter."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kvbroker-ipc-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@needs_root
def test_mode__is_there_before_anybody_could_connect(open_folder):
    """Another user tries to connect without pause, beginning before the broker starts."""
    path, last = open_folder / "socket", open_folder / "last"
    stranger = subprocess.Popen([sys.executable, "-c", CONNECT, str(path), str(last)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
    try:
        assert stranger.stdout.readline() == "begun\n"
        for _ in range(5):
            with Broker(**at(path, "requests"), wrapper=("sh", "-c", 'umask 0; exec "$@"', "sh")):
                assert stranger.poll() is None
        last.touch()
        assert stranger.communicate(timeout=TIMEOUT) == ("", "")
        assert stranger.returncode == 0
    finally:
        stranger.kill()
        stranger.communicate()


@needs_root
def test_mode__that_lets_all_connect__lets_somebody_else_connect(open_folder):
    path = open_folder / "socket"
    with Broker(**at(path, "requests"), options={"listen/ipc_mode": "0666"}):
        done = subprocess.run([sys.executable, "-c", CONNECT, str(path), str(open_folder)], capture_output=True, text=True,
                              timeout=TIMEOUT, check=False)
        assert done.stderr == "connected\n"
