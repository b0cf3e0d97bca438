# SPDX-License-Identifier: MPL-2.0
"""Error messages of kvzmq-cli: they use the terms of the tool, and say what to do with its options and commands."""

import os
import socket
import stat

import pytest

from broker import Broker
from client import unique
from tool import Tool

SECRET = "0123456789abcdef"
NOBODY = 65534


@pytest.fixture
def claimed(broker, name):
    with broker.client(f"{name}/owner") as owner:
        owner.call("hello", {"secret": SECRET})
        yield name


def told(done, status=2):
    """Returns the first line on standard error. Checks that it has no terms of the protocol."""
    assert done.returncode == status and b"Successfully" not in done.stdout, done
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1 or lines[1].startswith("usage: "), lines
    assert not [term for term in ("`", "hello", "options:", "ext type", "msgid", "params") if term in lines[0]], lines
    return lines[0]


# -- claimed names


def test_claimed_name__without_its_secret__says_how_to_give_it(tool, claimed):
    line = told(tool.run("-n", claimed, "get", "k"), 5)
    assert line.endswith("this name is claimed: give its secret with --secret-file FILE, or in KVZMQ_SECRET")
    line = told(tool.run("-n", claimed, typed=b"get k\n"), 5)
    assert "start kvzmq-cli with --secret-file FILE" in line


def test_claimed_name__with_a_wrong_secret__says_where_it_came_from(tool, claimed):
    line = told(tool.run("-n", claimed, "get", "k", KVZMQ_SECRET="x" * 16), 5)
    assert line.endswith("wrong secret for this name (--secret-file, KVZMQ_SECRET)")


def test_claiming__that_cannot_be__names_the_option(tool, claimed, broker, tmp_path):
    (tmp_path / "secret").write_text(SECRET)
    create = ["--create", "--secret-file", str(tmp_path / "secret")]
    assert "--secret-file" in told(tool.as_manager("manage", claimed, "put", "k", "v", *create), 1)
    other = unique("unclaimed")
    with broker.client(f"{other}/x") as client:
        client.call("put", "k", "v")
        assert "--secret-file" in told(tool.as_manager("manage", other, "put", "k", "v", *create), 1)
    assert "--secret-file goes with --create" in told(tool.as_manager("manage", other, "put", "k", "v", *create[1:]))


def test_name_and_secret__that_are_not_valid__are_named_by_their_options(tool):
    for name in ("9", "a b", "a/b", "größe", "x" * 201):
        assert "a name (-n) is 1 to 200" in told(tool.run("-n", name, "ping"))
    assert "a secret (--secret-file, KVZMQ_SECRET) is 16" in told(tool.run("-n", "a", "ping", KVZMQ_SECRET="short"))


# -- managers


def test_guest__who_may_not__learns_how_to_log_in(tool):
    for words in (["clients"], ["stats"], ["forget", "a"], ["role", "a", "guest"], ["manage", "a", "get", "k"], ["watch"], ["verify"]):
        assert "log in with -u USER" in told(tool.run(*words), 5), words
        assert "auth USER first" in told(tool.run(typed=" ".join(words).encode()), 5), words


def test_wrong_password__says_where_it_came_from(tool):
    line = told(tool.run("-u", unique("nobody"), "ping", KVZMQ_PASSWORD="wrong"), 5)
    assert line == "UNAUTHENTICATED: wrong user or password (-u, --password-file, KVZMQ_PASSWORD)"


def test_password__that_is_not_utf_8__is_a_password(tmp_path):
    with Broker(accounts={"adam": "eve"}) as broker:
        tool = Tool(broker.request_endpoint, tmp_path)
        line = told(tool.run("-u", "adam", "ping", KVZMQ_PASSWORD=b"\xff\xfe"), 5)
        assert line.startswith("UNAUTHENTICATED: wrong user or password")


def test_limit_of_clients__a_manager_is_let_in_as_the_message_says(tmp_path):
    with Broker(options={"limits/clients": 1}) as broker, broker.client("first") as first:
        first.call("put", "k", "v")
        tool = Tool(broker.request_endpoint, tmp_path)
        assert "or log in as a manager with -u USER" in told(tool.run("get", "k"), 6)
        assert tool.as_manager("manage", "first", "get", "k").stdout == b"v\n"
        piped = tool.run(typed=b"auth adam eve\nmanage first get k\n")
        assert (piped.stdout, piped.returncode) == (b"Authentication success\nv\n", 0)
        assert told(tool.run("-u", "nobody", "ping", KVZMQ_PASSWORD="wrong"), 5).startswith("UNAUTHENTICATED")
        assert tool.run("get", "k").returncode == 6


# -- text


@pytest.mark.parametrize("words, what", [
    (["get", b"k\xff"], "KEY"), (["put", b"k\xff", "v"], "KEY"), (["del", b"k\xff"], "KEY"), (["entry", b"k\xff"], "KEY"),
    (["manage", "a", "get", b"k\xff"], "KEY"), (["list", b"k\xff"], "PREFIX"), (["role", b"k\xff", "guest"], "CLIENT"),
    (["forget", b"k\xff"], "CLIENT"), (["auth", b"k\xff", "eve"], "USER")])
def test_argument__that_is_not_utf_8__is_named(tool, words, what):
    command = words[2] if words[0] == "manage" else words[0]
    assert told(tool.run(*words)) == f'Illegal command: {command}: the {what} is not UTF-8: "k\\xff"'


def test_option__that_is_not_utf_8__is_named(tool):
    for words, option in ((["list", "--after", b"\xff"], "--after"), (["watch", b"--prefix=\xff"], "--prefix")):
        assert f'{option} takes text (UTF-8), not "\\xff"' in told(tool.run(*words))
    told(tool.run("-u", b"\xff", "ping", KVZMQ_PASSWORD="x"))
    told(tool.run("manage", b"\xff", "get", "k"))


def test_value__that_is_not_utf_8__is_bytes(tool, name):
    assert tool.run("-n", name, "put", "k", b"\xff").returncode == 0
    assert tool.run("-n", name, "-o", "raw", "get", "k").stdout == b"\xff"


# -- files


@pytest.mark.parametrize("content, problem", [
    (None, "cannot read {}: No such file or directory"),
    (stat.S_IFDIR, "no password or secret in {}: Is a directory"),
    (b"", "no password or secret in {}: its first line is empty, and should be the password or secret"),
    (b"\nsecond line\n", "no password or secret in {}: its first line is empty, and should be the password or secret"),
    (b"\r\nsecond line\r\n", "no password or secret in {}: its first line is empty, and should be the password or secret"),
    (b"a\0b\n", "no password or secret in {}: its first line has a zero byte"),
    (b"x" * 1025, "a password has at most 1024 bytes"),
    (b"x" * 100000, "a password has at most 1024 bytes")])
def test_password_file__that_holds_none__says_why(tool, tmp_path, content, problem):
    path = tmp_path / "password"
    if content == stat.S_IFDIR:
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    line = "kvzmq-cli: " + problem.format(path)
    assert told(tool.run("-u", "adam", "--password-file", str(path), "ping")) == line
    assert told(tool.run("-n", "a", "--secret-file", str(path), "ping")) == line
    created = tool.as_manager("manage", "new", "put", "k", "v", "--create", "--secret-file", str(path))
    assert told(created) == line.replace("kvzmq-cli: ", "put: ")


@pytest.mark.parametrize("content", [b"eve", b"eve\n", b"eve\r\n", b"eve\nadam\n"])
def test_password_file__with_a_password_on_its_first_line__is_good(tool, tmp_path, content):
    (tmp_path / "password").write_bytes(content)
    assert tool.run("-u", "adam", "--password-file", str(tmp_path / "password"), "ping").stdout == b"pong\n"


def test_password_file__name_with_control_characters__does_not_steer_the_terminal(tool):
    assert told(tool.run("-u", "adam", "--password-file", "/no\x1b\n", "ping")).startswith("kvzmq-cli: cannot read /no\\x1b\\n: ")


# -- ipc


def as_nobody():
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def test_ipc__without_permission__says_so(tmp_path, tmp_path_factory):
    with socket.socket(socket.AF_UNIX) as listener:
        path = tmp_path / "requests"
        listener.bind(str(path))
        listener.listen()
        path.chmod(0)
        tool = Tool(f"ipc://{path}", tmp_path_factory.mktemp("home"))
        try:
            done = tool.run("ping", preexec_fn=as_nobody)
        except PermissionError:
            pytest.skip("the build's folder is root's alone")
    assert "permission is denied" in told(done, 3) and str(path) in told(done, 3)


def test_ipc__nothing_there__or_no_socket__says_so(tool, tmp_path):
    (tmp_path / "file").write_text("a file")
    for path, problem in ((tmp_path / "none", "there is no such file"), (tmp_path / "none" / "none", "there is no such file"),
                          (tmp_path / "file" / "none", "there is no such folder"), (tmp_path / "file", "it is not a socket"),
                          (tmp_path, "it is not a socket")):
        assert f"cannot reach ipc://{path}: {problem}" in told(tool.run("-s", f"ipc://{path}", "ping"), 3)


def test_ipc__socket_that_nobody_listens_at__says_so(tool, tmp_path):
    path = tmp_path / "left"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    assert f"nobody listens at ipc://{path}" in told(tool.run("-s", f"ipc://{path}", "ping"), 3)
