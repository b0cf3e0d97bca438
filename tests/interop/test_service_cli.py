# SPDX-License-Identifier: MPL-2.0
"""The program kvbroker, as a user or a script runs it: options, configuration, hash commands, start and end."""

import fcntl
import os
import pathlib
import re
import signal
import subprocess
import termios

import pytest

from broker import Broker
from client import Client
from hashes import matches
from kvbroker import kvbroker, start_kvbroker
from project import REPOSITORY, binary_of
from terminal import ENTER, INTERRUPT, Terminal
from waiting import TIMEOUT, wait_until

EXAMPLE = REPOSITORY / "examples" / "kvbroker.conf"
PASSWORD = "correct horse"
SECRET = "sixteen bytes ok"


def one_line(done, status):
    """Checks the exit status and returns the only line on standard error."""
    text = done.stderr.decode()
    assert done.returncode == status, text
    assert done.stdout == b""
    assert text.endswith("\n") and text.count("\n") == 1, text
    assert ";" in text, f"does not say what to do: {text}"
    return text[:-1]


def table():
    """Returns every key of the configuration with its default, as --help-config prints them."""
    keys = {}
    section = None
    for line in kvbroker("--help-config").stdout.decode().splitlines():
        if match := re.fullmatch(r"#(\w+)", line):
            section = match.group(1)
        elif match := re.fullmatch(r'#    (\w+) = "(.*)"', line):
            keys[f"{section}/{match.group(1)}"] = match.group(2)
    assert len(keys) >= 16
    return keys


# ---- hash-password and hash-secret


@pytest.mark.parametrize("after", [b"\n", b"", b"\r\n", b"\nmore\n"])
def test_hash_password__piped_line__prints_a_hash_that_it_matches(after):
    done = kvbroker("hash-password", typed=PASSWORD.encode() + after)
    assert done.returncode == 0 and done.stderr == b""
    assert re.fullmatch(rb"\$argon2id\$v=19\$m=65536,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}\n", done.stdout)
    assert matches(done.stdout.strip(), PASSWORD.encode())
    assert not matches(done.stdout.strip(), PASSWORD.encode() + b"x")


def test_hash_password__bytes_and_the_longest__are_taken_whole():
    longest = b"\x00\xff" * 512
    done = kvbroker("hash-password", typed=longest + b"\n")
    assert matches(done.stdout.strip(), longest)
    assert not matches(done.stdout.strip(), longest[:-1])


@pytest.mark.parametrize("typed", [b"", b"\n", b"x" * 1025, b"x" * 100000])
def test_hash_password__empty_or_too_long__is_refused(typed):
    assert "1 to 1024 bytes" in one_line(kvbroker("hash-password", typed=typed), 1)


def test_hash_password__twice__gives_two_hashes():
    assert kvbroker("hash-password", typed=PASSWORD.encode()).stdout != kvbroker("hash-password", typed=PASSWORD.encode()).stdout


def test_hash_password__output_that_cannot_be_written__is_an_error():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([binary_of("kvbroker"), "hash-password"], input=PASSWORD.encode(), stdout=full,
                              stderr=subprocess.PIPE, timeout=TIMEOUT, check=False)
    assert done.returncode == 1 and b"standard output" in done.stderr


@pytest.mark.parametrize("closed, arguments, problem", [
    (0, ("hash-password",), "no password read: Bad file descriptor"),
    (0, ("hash-secret",), "no secret read: Bad file descriptor"),
    (1, ("hash-password",), "cannot write to standard output: Bad file descriptor"),
    (1, ("hash-secret", "--generate"), "cannot write to standard output: Bad file descriptor"),
])
def test_hash_command__standard_file_that_is_closed__is_an_error(closed, arguments, problem):
    done = kvbroker(*arguments, typed=SECRET.encode(), preexec_fn=lambda: os.close(closed))
    assert done.returncode == 1 and problem in done.stderr.decode(), done


def test_hash_secret__piped_line__is_one_that_the_configuration_takes():
    hashed = kvbroker("hash-secret", typed=SECRET.encode()).stdout.decode().strip()
    assert re.fullmatch(r"\$blake2b\$[A-Za-z0-9_-]{22}\$[A-Za-z0-9_-]{43}", hashed)
    assert kvbroker("--check-config", "--set", f"names/lamp={hashed}").returncode == 0


@pytest.mark.parametrize("size", [15, 257])
def test_hash_secret__outside_its_bounds__is_refused(size):
    assert "16 to 256 bytes" in one_line(kvbroker("hash-secret", typed=b"x" * size), 1)


def test_hash_secret__generate__prints_a_new_secret_and_its_hash():
    secret, hashed = kvbroker("hash-secret", "--generate").stdout.decode().split()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
    assert secret != kvbroker("hash-secret", "--generate").stdout.decode().split()[0]
    with Broker(names={"lamp": hashed}) as broker, broker.client("lamp") as lamp:
        assert lamp.code("ping") == "UNAUTHENTICATED"
        assert lamp.call("hello", {"secret": secret})["client"] == "lamp"


def hashing():
    """Returns a terminal at which `kvbroker hash-password` asks for a password."""
    terminal = Terminal([binary_of("kvbroker"), "hash-password"], os.environ)
    terminal.wait("Password: ")
    return terminal


def echoes(terminal):
    return bool(termios.tcgetattr(terminal.master)[3] & termios.ECHO)


def test_hash_password__at_a_terminal__asks_twice_and_never_shows_it():
    with hashing() as terminal:
        assert not echoes(terminal)
        terminal.press(PASSWORD + ENTER)
        terminal.wait("Again: ")
        terminal.press(PASSWORD + ENTER)
        assert terminal.ended() == 0
        assert PASSWORD not in terminal.seen
        hashed = re.search(r"\$argon2id\$\S+", terminal.seen).group(0)
        assert matches(hashed.encode(), PASSWORD.encode())


def test_hash_password__at_a_terminal_two_that_differ__is_refused():
    with hashing() as terminal:
        terminal.press("one" + ENTER)
        terminal.wait("Again: ")
        terminal.press("two" + ENTER)
        assert terminal.ended() == 1
        assert "differ" in terminal.seen and "$argon2id$" not in terminal.seen


def test_hash_password__interrupted_at_a_terminal__ends_and_echo_is_back():
    with hashing() as terminal:
        terminal.press("secret")
        # Repeatedly: readpassphrase misses a signal that comes between its prompt and its read.
        wait_until(lambda: terminal.process.poll() is not None or terminal.press(INTERRUPT), what="the end of the program", interval=0.05)
        assert terminal.ended() == -signal.SIGINT
        assert echoes(terminal)
        assert "secret" not in terminal.seen


# ---- The configuration


BROKEN = {
    "tab": ("session\n\ttimeout = 5\n", 2, "tab"),
    "indent": ("# one\n\nsession\n   timeout = 5\n", 4, "indented by 3 spaces"),
    "unknown section": ("limits\n    key = 5\nsesion\n    timeout = 5\n", 3, "did you mean session?"),
    "unknown key": ("session\n    timout = 5\n", 2, "did you mean session/timeout?"),
    "malformed": ("session\n    timeout : 5\n", 2, "write KEY = VALUE"),
    "no value": ("session\n    timeout\n", 2, "no value"),
    "twice": ("session\n    timeout = 5\n    timeout = 5\n", 3, "line 2 already"),
    "no number": ("ids\n    first = many\n", 2, '"many" is not a whole number'),
    "out of range": ("ids\n    first = 70000\n", 2, "from 1 to 65535"),
    "no size": ("limits\n    value = 1MB\n", 2, "MiB"),
    "transport": ("listen\n    requests = pgm://eth0;224.0.0.1:5555\n", 2, "tcp://HOST:PORT or ipc://PATH"),
    "no hash": ("managers\n    adam = eve\n", 2, "hash-password"),
    "no secret's hash": ("names\n    lamp = secret\n", 2, "hash-secret"),
    "no name": ("names\n    12 = secret\n", 2, "not a valid client name"),
    "quote": ('listen\n    requests = "tcp://127.0.0.1:*\n', 2, "quote is not closed"),
    "long line": ("#" * 1025 + "\n", 1, "longer than 1024 bytes"),
    "not text": (b"session\n    timeout = \xff\xfe\n", 2, "UTF-8"),
    "zero byte": (b"session\n\0\n", 2, "zero byte"),
}


@pytest.mark.parametrize("check", [["--check-config"], []], ids=("check", "start"))
@pytest.mark.parametrize("name", BROKEN)
def test_broken_file__by_the_check_and_by_the_start__is_the_same_line_with_file_and_remedy(name, check, tmp_path):
    text, line, what = BROKEN[name]
    (tmp_path / "k.conf").write_bytes(text.encode() if isinstance(text, str) else text)
    problem = one_line(kvbroker(*check, "--config", "k.conf", cwd=tmp_path), 2)
    assert problem.startswith(f"k.conf:{line}: ") and what in problem


def test_check_config__file_that_is_not_there_or_a_folder__says_so(tmp_path):
    problem = one_line(kvbroker("--check-config", "--config", "none.conf", cwd=tmp_path), 2)
    assert problem.startswith("none.conf: ") and "No such file" in problem
    problem = one_line(kvbroker("--check-config", "--config", ".", cwd=tmp_path), 2)
    assert problem.startswith(".: ") and "directory" in problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_check_config__file_without_permission__says_so(tmp_path):
    (tmp_path / "k.conf").write_text("")
    (tmp_path / "k.conf").chmod(0)
    assert "Permission denied" in one_line(kvbroker("--check-config", "--config", "k.conf", cwd=tmp_path), 2)


def test_check_config__keys_that_do_not_agree__names_both():
    problem = one_line(kvbroker("--check-config", "--set", "ids/first=50000", "--set", "ids/last=40000"), 2)
    assert "ids/first" in problem and "ids/last" in problem


def test_example_configuration__is_what_help_config_prints():
    assert EXAMPLE.read_bytes() == kvbroker("--help-config").stdout, "run: kvbroker --help-config > examples/kvbroker.conf"


def test_example_configuration__with_every_key_uncommented__is_good(tmp_path):
    lines = EXAMPLE.read_text().splitlines()
    keys = [re.sub(r"^#(?! \S)", "", line) for line in lines]
    (tmp_path / "k.conf").write_text("\n".join(keys) + "\n")
    assert sum(not line.startswith("#") and "=" in line for line in keys) == len(table())
    done = kvbroker("--check-config", "--config", "k.conf", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_set__every_key_to_its_default__is_good():
    for key, value in table().items():
        done = kvbroker("--check-config", "--set", f"{key}={value}")
        assert done.returncode == 0, done.stderr


def test_set__every_key_to_nonsense__is_refused_with_its_name():
    for key in table():
        assert key in one_line(kvbroker("--check-config", f"--set={key}=?!"), 2)


def test_set__every_key_misspelt__suggests_it():
    for key in table():
        section, name = key.split("/")
        misspelt = f"{section[:-1]}/{name}"
        assert f"did you mean {key}?" in one_line(kvbroker("--check-config", "--set", f"{misspelt}=1"), 2)


def test_set__over_the_file__wins():
    with Broker(options={"session/timeout": "7.5", "ids/first": 48106}) as broker, broker.client() as client:
        hello = client.call("hello")
        assert hello["timeout_ms"] == 7500
        assert hello["client"] == "48106"


# ---- Options


def test_option__unknown__is_a_usage_error():
    for arguments in (["--bogus"], ["-z"], ["--check-config=5"], ["--set"], ["--config"], ["nonsense"],
                      ["hash-password", "more"], ["hash-password", "--generate"], ["--generate"],
                      ["hash-secret", "--set", "ids/first=1"]):
        problem = one_line(kvbroker(*arguments), 2)
        assert problem.startswith("kvbroker: ") and "--help" in problem


def test_help__lists_every_option_and_command():
    text = kvbroker("--help").stdout.decode()
    for word in ("--config FILE", "--set KEY=VALUE", "--check-config", "--help-config", "--generate", "--help",
                 "--version", "hash-password", "hash-secret"):
        assert word in text
    assert all(len(line) <= 110 for line in text.splitlines())


@pytest.mark.parametrize("command", ["hash-password", "hash-secret"])
def test_help__of_a_command__says_the_way_and_reads_nothing(command):
    for arguments in ([command, "--help"], ["-h", command]):
        done = kvbroker(*arguments)
        text = done.stdout.decode()
        assert done.returncode == 0 and text.startswith(f"Usage: kvbroker {command}")
        for step in (f"1. kvbroker {command}", "2. in the configuration", "--check-config", "kill -HUP PID"):
            assert step in text
        assert all(len(line) <= 110 for line in text.splitlines())


def test_version__is_the_project_s():
    version = re.search(r"project\(kvbroker VERSION ([0-9.]+)", (REPOSITORY / "CMakeLists.txt").read_text())
    assert kvbroker("--version").stdout.decode() == f"kvbroker {version.group(1)}\n"


# ---- Start and end


def open_files(broker):
    text = pathlib.Path(f"/proc/{broker.process.pid}/limits").read_text()
    soft, hard = re.search(r"Max open files\s+(\d+)\s+(\d+)", text).groups()
    return int(soft), int(hard)


def test_start__soft_limit_of_open_files__is_raised_to_the_hard_one():
    with Broker(wrapper=("prlimit", "--nofile=256:5000")) as broker:
        assert open_files(broker) == (5000, 5000)
        assert "files may be open" not in broker.log()


def test_start__few_open_files__is_logged():
    with Broker(wrapper=("prlimit", "--nofile=256:256")) as broker:
        assert re.search(r"warning only 256 files may be open", broker.log())


def test_log__that_nobody_reads__does_not_stop_the_broker(tmp_path):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 16384)
    broker, endpoint = start_kvbroker(tmp_path, stdin=subprocess.DEVNULL, stderr=writer)
    try:
        for number in range(200):  # each makes about 200 bytes of log
            with Client(endpoint, f"client-{number}") as client:
                assert client.call("ping") == "pong"
        lost = os.read(reader, 1 << 16)
        with Client(endpoint, "one-more") as client:
            assert client.call("ping") == "pong"
        assert b"client-0" in lost and b"client-199" not in lost
        assert re.search(rb"warning [0-9]+ lines of this log were dropped", os.read(reader, 1 << 16))
        broker.send_signal(signal.SIGTERM)
        assert broker.wait(TIMEOUT) == 0
    finally:
        broker.kill()
        broker.wait()
        os.close(reader)
        os.close(writer)
