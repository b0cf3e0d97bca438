# SPDX-License-Identifier: MPL-2.0
"""kvzmq-cli at a terminal: keys, history, passwords, and values with control characters."""

import os
import pathlib
import re
import signal
import stat
import termios

import pytest

from front import Front
from terminal import INTERRUPT, KILL_LINE, TAB, UP, status_of
from tool import Tool
from waiting import wait_until


@pytest.fixture
def terminal(tool):
    with tool.terminal() as running:
        assert re.fullmatch(r"Connected to \S+ as client \d+", running.prompt()[0])
        yield running


# -- keys


def test_terminal__ctrl_d_quit_exit_and_bye__end_it_with_0(tool):
    for keys in ("\x04", "quit\n", "exit\n", "bye\n"):
        with tool.terminal() as running:
            running.prompt()
            assert running.leave(keys) == 0


def test_terminal__ctrl_c__drops_the_line_and_goes_on(terminal):
    terminal.press("put city Kolk")
    terminal.wait("Kolk")
    terminal.press(INTERRUPT)
    assert terminal.prompt() == ["^C"]
    assert terminal.type("get city") == ["<blank>"]


def test_terminal__ctrl_c__ends_the_wait_for_an_answer_and_not_the_tool(broker, tmp_path):
    with Front() as front, broker.client() as behind, Tool(front.endpoint, tmp_path).terminal("-t", "60") as running:
        front.forward(behind)  # hello; nothing is answered after it
        running.prompt()
        running.press("get city\n")
        front.wait_asked()
        running.wait_asleep()
        running.press(INTERRUPT)
        shown = running.prompt()
        assert any(line.startswith("INTERRUPTED: ") for line in shown), shown
        assert running.type("help get")[0] == "Usage: get KEY"


def test_terminal__ctrl_c__ends_a_long_listing(tool, broker):
    with broker.client("listed/filler") as client:
        for begin in range(0, 20000, 4000):
            client.batch(*[("put", f"k{number}", "v") for number in range(begin, begin + 4000)])
    with tool.terminal("-n", "listed") as running:
        running.prompt()
        running.press("list\n")
        running.wait("^k0 ")
        running.press(INTERRUPT)
        running.prompt()
        assert 0 < running.seen.count("\nk") < 20000
        assert running.type("get k7") == ["v"]


def test_terminal__stopped_and_continued__edits_as_before(terminal):
    terminal.press("get ci")
    terminal.wait("get ci$")
    os.kill(terminal.process.pid, signal.SIGSTOP)
    wait_until(lambda: status_of(terminal.process.pid, "State") == "T")
    settings = termios.tcgetattr(terminal.master)
    settings[3] |= termios.ICANON | termios.ECHO  # as a shell does when it has the terminal again
    termios.tcsetattr(terminal.master, termios.TCSANOW, settings)
    os.kill(terminal.process.pid, signal.SIGCONT)
    wait_until(lambda: not termios.tcgetattr(terminal.master)[3] & termios.ICANON, what="the terminal set for editing")
    terminal.press("ty" + KILL_LINE)
    assert terminal.type("get city") == ["<blank>"]


def test_terminal__tab__completes_a_command(terminal):
    terminal.press("pu" + TAB + "city Kolkata\n")
    assert terminal.prompt()[-1] == "Successfully set city as Kolkata"


def test_terminal__tab__shows_what_there_is_to_choose_from(terminal):
    terminal.press("d" + TAB)
    assert "del  digest\n" in terminal.wait("^> d$")
    terminal.press(KILL_LINE + "manage 5 e" + TAB)
    terminal.wait("manage 5 entry $")
    terminal.press(KILL_LINE + "put k v --t" + TAB)
    terminal.wait("put k v --ttl $")
    terminal.press(KILL_LINE + "help forg" + TAB)
    terminal.wait("help forget $")


def test_terminal__arrow_up__brings_the_line_back(terminal):
    assert terminal.type("put city Kolkata") == ["Successfully set city as Kolkata"]
    terminal.press(UP + "\n")
    assert terminal.prompt()[-1] == "Successfully set city as Kolkata"


def test_terminal__text_beyond_ascii__is_typed_and_shown(terminal):
    assert terminal.type('put k "größe ☃"') == ["Successfully set k as größe ☃"]
    assert terminal.type("get k") == ["größe ☃"]


def test_terminal__no_locale__still_speaks_utf_8(tool):
    with tool.terminal(LC_ALL="C") as running:
        running.prompt()
        assert running.type('put k "größe"') == ["Successfully set k as größe"]


def test_terminal__commands_that_are_wrong__say_illegal_first(terminal):
    assert terminal.type("bad") == ["Illegal command"]
    assert terminal.type("get")[0] == "Illegal command"
    assert terminal.type("get")[-1] == "usage: get KEY"
    assert terminal.type('put k "v')[0] == "Illegal command"
    assert terminal.type("") == []


def test_terminal__nobody_listens__exit_3_without_a_prompt(tmp_path):
    with Tool("tcp://127.0.0.1:1", tmp_path).terminal("-t", "5") as running:
        assert running.ended() == 3
        assert running.seen.count("\n") == 1 and "tcp://127.0.0.1:1" in running.seen


# -- history


def history_lines(tool):
    return tool.history.read_text().replace("\\040", " ").replace("\\012", "").splitlines()[1:]


def test_history__file__is_its_owners_alone_and_comes_back(tool):
    with tool.terminal() as running:
        running.prompt()
        running.type("put city Kolkata")
        running.type("get city")
        running.leave()
    assert stat.S_IMODE(tool.history.stat().st_mode) == 0o600
    assert history_lines(tool) == ["put city Kolkata", "get city"]
    with tool.terminal() as running:
        running.prompt()
        running.press(UP + UP)
        running.wait("put city Kolkata$")


def test_history__file_that_others_could_read__is_closed_to_them(tool):
    tool.history.parent.mkdir(parents=True)
    tool.history.touch()
    tool.history.chmod(0o644)
    with tool.terminal() as running:
        running.prompt()
        running.type("get city")
    assert stat.S_IMODE(tool.history.stat().st_mode) == 0o600


def test_history__lines_with_auth__are_never_kept(tool):
    typed = ["auth adam eve", "  auth adam eve", "auth adam wrong", '"auth" adam eve', "AUTH adam eve", "manage 1 auth adam eve",
             'auth adam "eve', "authh adam eve", "get city"]
    with tool.terminal() as running:
        running.prompt()
        for line in typed:
            running.type(line)
        running.press(UP)
        running.wait("get city$")
        running.press(UP)
        running.press(KILL_LINE)
        running.type("get end")
    assert history_lines(tool) == ["get city", "get end"]
    assert "eve" not in tool.history.read_text()


def test_history__line_that_begins_with_a_space__is_not_kept(tool):
    with tool.terminal() as running:
        running.prompt()
        running.type(" put token abc")
        running.type("get city")
    assert history_lines(tool) == ["get city"]


def test_history__without_xdg_state_home__is_in_local_state(tool):
    with tool.terminal(XDG_STATE_HOME="") as running:
        running.prompt()
        running.type("get city")
    assert pathlib.Path(tool.folder, ".local", "state", "kvzmq", "history").exists()


def test_history__folder_that_cannot_be_written__is_no_reason_to_fail(tool):
    pathlib.Path(tool.folder, "state").write_text("a file in the way")
    with tool.terminal() as running:
        running.prompt()
        assert running.type("get city") == ["<blank>"]
        assert running.leave() == 0


def test_history__long_line__is_not_kept(tool):
    with tool.terminal() as running:
        running.prompt()
        for size in (16 * 1024 - 1, 16 * 1024):  # plus the newline
            running.press("ping " + "x" * (size - 5) + "\n")
            running.wait("^usage: ping$")
            running.prompt()
    assert [len(line) for line in history_lines(tool)] == [16 * 1024 - 1]


def test_history__file_over_1_MiB__is_cut_to_its_newest_1000_lines(tool):
    tool.history.parent.mkdir(parents=True)
    line = "put k " + "v" * 1000
    tool.history.write_text("_HiStOrY_V2_\n" + "".join(f"{line}{number}\n".replace(" ", "\\040") for number in range(1100)))
    with tool.terminal() as running:
        running.prompt()
    assert history_lines(tool) == [f"{line}{number}" for number in range(100, 1100)]
    assert stat.S_IMODE(tool.history.stat().st_mode) == 0o600
    assert list(tool.history.parent.iterdir()) == [tool.history]  # the temporary file is gone


def put_link(path):
    path.with_name("aim").write_text("_HiStOrY_V2_\n")
    path.symlink_to("aim")


def put_pipe(path):
    os.mkfifo(path)


def put_device(path):
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))  # the device of /dev/null
    path.chmod(0o666)


def put_other_owner(path):
    path.write_text("_HiStOrY_V2_\n")
    os.chown(path, 1, 1)


def put_other_text(path):
    path.write_text("a letter\n" * 200000)  # longer than a history ever is


def put_short_text(path):
    path.write_text("abc")


def check_line_is_kept_in_memory(running):
    running.prompt()
    assert running.type("get city") == ["<blank>"]
    running.press(UP)
    running.wait("get city$")
    running.press(KILL_LINE)
    assert running.leave() == 0


@pytest.mark.parametrize("put", [put_link, put_pipe, put_device, put_other_owner, put_other_text, put_short_text])
def test_history__what_is_no_regular_history_of_ones_own__stays_as_it_is_and_lines_are_kept_in_memory(tool, put):
    tool.history.parent.mkdir(parents=True)
    try:
        put(tool.history)
    except PermissionError:
        pytest.skip("only root can make it")
    before = [(path.name, path.lstat()) for path in sorted(tool.history.parent.iterdir())]
    with tool.terminal() as running:
        check_line_is_kept_in_memory(running)
    after = [(path.name, path.lstat()) for path in sorted(tool.history.parent.iterdir())]

    def sides(files):
        return [(name, found.st_ino, found.st_mode, found.st_uid, found.st_size) for name, found in files]

    assert sides(before) == sides(after)


@pytest.mark.parametrize("arguments, environment", [(["--no-history"], {}), ([], {"KVZMQ_HISTORY": ""}),
                                                    (["--no-history"], {"KVZMQ_HISTORY": "typed"})])
def test_history__turned_off__makes_no_file_and_keeps_lines_in_memory(tool, arguments, environment):
    with tool.terminal(*arguments, **environment) as running:
        check_line_is_kept_in_memory(running)
    assert list(tool.folder.iterdir()) == []


def test_history__file_that_is_named__is_used(tool):
    named = tool.folder / "typed"
    for _ in range(2):
        with tool.terminal(KVZMQ_HISTORY=str(named)) as running:
            running.prompt()
            running.type("get größe\\")
            running.leave()
    with tool.terminal(KVZMQ_HISTORY=str(named)) as running:
        running.prompt()
        running.press(UP)
        running.wait(r"get größe\\$")
    assert stat.S_IMODE(named.stat().st_mode) == 0o600 and list(tool.folder.iterdir()) == [named]


# -- passwords


def test_auth__without_password__asks_without_echo(terminal):
    terminal.press("auth adam\n")
    terminal.wait("Password of adam: ")
    terminal.press("eve\n")
    shown = terminal.prompt()
    assert shown[-1] == "Authentication success"
    assert "eve" not in terminal.seen


def test_auth__ctrl_c_at_the_password__goes_back_to_the_prompt(terminal):
    terminal.press("auth adam\n")
    terminal.wait("Password of adam: ")
    terminal.wait_asleep()
    terminal.press(INTERRUPT)
    terminal.prompt()
    assert terminal.type("get city") == ["<blank>"]


def test_user__option__asks_at_the_terminal_and_is_a_manager(tool):
    with tool.terminal("-u", "adam") as running:
        running.wait("Password of adam: ")
        running.press("eve\n")
        running.prompt()
        assert running.type("hello")[1].split() == ["role", "manager"]
        assert "eve" not in running.seen


def test_user__ctrl_c_at_the_password__exit_130(tool):
    with tool.terminal("-u", "adam", "ping") as running:
        running.wait("Password of adam: ")
        running.wait_asleep()
        running.press(INTERRUPT)
        assert running.ended() == 130


# -- the screen


def test_get__value_with_control_characters__does_not_steer_the_terminal(tool, broker):
    value = "a\x1b]0;title\x07b\x9bc\r\n> d\u202ee\x7f\u2028ü\\"
    with tool.terminal("-n", "steering") as running, broker.client("steering/wire") as client:
        running.prompt()
        client.call("put", "k", value)
        assert running.type("get k") == ["a\\x1b]0;title\\x07b\\xc2\\x9bc\\r\\n> d\\xe2\\x80\\xaee\\x7f\\xe2\\x80\\xa8ü\\"]
        client.call("put", "k", b"\xff\xfe")
        assert running.type("get k") == ["\\xff\\xfe"]


def test_list__long_values__are_cut_to_the_line_and_keys_are_not(tool, broker):
    key = "größe-" + "k" * 50
    with tool.terminal("-n", "wide") as running, broker.client("wide/wire") as client:
        running.prompt()
        client.call("put", key, "v" * 100)
        heading, row = running.type("list")
        assert heading.split() == ["KEY", "VALUE", "REVISION", "TTL"]
        assert re.fullmatch(key + r" v{1,20} +\d+ +-", row) and len(row) <= 80
