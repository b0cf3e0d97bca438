# SPDX-License-Identifier: MPL-2.0
"""Keys of kvzmq-cli on common terminals: the sequences that they send, what they do to the line, and pasted text."""

import pathlib
import re

import pytest
from chance import seeded
from terminal import UP

HOME, END = "\x01", "\x05"  # Ctrl-A, Ctrl-E: the same everywhere

# What keys send: as terminfo says, and as terminal programs really do.
LEFT_WORD = {"xterm": ["\x1b[1;5D", "\x1b[1;3D", "\x1bb"], "vt220": ["\x1b[5D", "\x1bb"], "rxvt": ["\x1bOd", "\x1b\x1b[D"],
             "screen": ["\x1b[1;5D", "\x1bO5D"], "linux": ["\x1b\x1b[D", "\x1bb"]}
RIGHT_WORD = {"xterm": ["\x1b[1;5C", "\x1b[1;3C"], "vt220": ["\x1b[5C"], "rxvt": ["\x1bOc", "\x1b\x1b[C"], "screen": ["\x1b[1;5C", "\x1bO5C"],
              "linux": ["\x1b\x1b[C", "\x1bf"]}
TO_BEGIN = {"xterm": ["\x1b[H", "\x1bOH", "\x1b[1;5H"], "vt220": ["\x1b[1~"], "rxvt": ["\x1b[7~", "\x1b[7^"], "screen": ["\x1b[1~"], "linux": ["\x1b[1~"]}
TO_END = {"xterm": ["\x1b[F", "\x1bOF", "\x1b[1;2F"], "vt220": ["\x1b[4~"], "rxvt": ["\x1b[8~", "\x1b[8$"], "screen": ["\x1b[4~"], "linux": ["\x1b[4~"]}
ALL = ("xterm", "vt220", "rxvt", "screen", "linux")

# Sequences that must do nothing: F1 to F24, insert, the keypad, focus and mouse reports, the key encodings of kitty and others.
FUNCTION_KEYS = [*[f"\x1bO{final}" for final in "PQRSMjklmnopqrstuvwxyX"], *[f"\x1b[{number}~" for number in (2, *range(9, 35))],
                 *[f"\x1b[{number};5~" for number in range(9, 35)], *[f"\x1b[1;{held}{final}" for held in (2, 5) for final in "PQRS"],
                 *[f"\x1b[[{final}" for final in "ABCDE"], *[f"\x1b[{number}{final}" for number in range(11, 35) for final in "^$@"],
                 "\x1b[2;2~", "\x1b[Z", "\x1b[E", "\x1bOE", "\x1b[1;5E", "\x1b[G", "\x1b[I", "\x1b[O", "\x1b[<0;10;20M", "\x1b[<0;10;20m",
                 "\x1b[27;5;13~", "\x1b[13;5u", "\x1b[57399;1:3u", "\x1b[?62;1c", "\x1b[" + "1;" * 50 + "1R", "\x1b[2^", "\x1b[201~", '\x1b["->>"8t']


def of_terminals(table):
    return [pytest.param(name, keys, id=name) for name, keys in table.items()]


def at_prompt(tool, *lines, **environment):
    """Returns a terminal at the prompt, after LINES were typed."""
    running = tool.terminal(**environment)
    running.prompt()
    for line in lines:
        running.type(line)
    return running


def check(running, keys, answer):
    """Presses KEYS, then Enter, which must be answered with ANSWER."""
    running.press(keys + "\n")
    running.wait("^" + re.escape(answer) + "\n")
    running.prompt()


def check_each(tool, name, keys, typed, answer):
    """For each of KEYS, types TYPED(key) at a terminal with TERM=NAME and checks ANSWER."""
    with at_prompt(tool, TERM=name) as running:
        for key in keys:
            check(running, typed(key), answer)


@pytest.mark.parametrize("name, keys", of_terminals(LEFT_WORD))
def test_key__word_left__goes_one_word_back(tool, name, keys):
    check_each(tool, name, keys, lambda key: f'put k "one two three{key}{key}X{END}"', "Successfully set k as one Xtwo three")


@pytest.mark.parametrize("name, keys", of_terminals(RIGHT_WORD))
def test_key__word_right__goes_one_word_on(tool, name, keys):
    check_each(tool, name, keys, lambda key: f"pu k v{HOME}{key}t", "Successfully set k as v")


@pytest.mark.parametrize("name, keys", of_terminals(TO_BEGIN))
def test_key__home__goes_to_the_beginning(tool, name, keys):
    check_each(tool, name, keys, lambda key: f"ut k v{key}p", "Successfully set k as v")


@pytest.mark.parametrize("name, keys", of_terminals(TO_END))
def test_key__end__goes_to_the_end(tool, name, keys):
    check_each(tool, name, keys, lambda key: f"put k v{HOME}{key}w", "Successfully set k as vw")


@pytest.mark.parametrize("name", ALL)
def test_key__delete__deletes_a_character_and_with_control_a_word(tool, name):
    with at_prompt(tool, TERM=name) as running:
        check(running, f"xput k v{HOME}\x1b[3~", "Successfully set k as v")
        check(running, f"xyz put k v{HOME}\x1b[3;5~", "Successfully set k as v")


@pytest.mark.parametrize("name", ALL)
def test_key__page_up_and_down__go_through_the_history(tool, name):
    with at_prompt(tool, "put k one", "put k two", TERM=name) as running:
        check(running, "\x1b[5~\x1b[5~", "Successfully set k as one")
        check(running, "\x1b[5~\x1b[5~\x1b[6~", "Successfully set k as one")
        check(running, "\x1b[1;5A\x1b[1;2A\x1b[1;5A", "Successfully set k as one")


@pytest.mark.parametrize("name", ALL)
def test_key__that_does_nothing__types_nothing(tool, name):
    with at_prompt(tool, TERM=name) as running:
        check(running, "put k a" + "".join(FUNCTION_KEYS) + "b", "Successfully set k as ab")


def test_sequence__of_any_kind_that_no_key_sends__types_nothing(tool):
    chance = seeded()

    def sequence():
        parameters = "".join(chance.choices("0123456789;:<=>? !\"%&'()*+,-./", k=chance.randrange(12)))
        return "\x1b" + chance.choice(["[", "O"]) + parameters + chance.choice("GIJKLNQSTUVWXYZ\\]_`efghijklmnopqrstuvwxyz{|}")

    with at_prompt(tool) as running:
        for number in range(20):
            sequences = "".join(sequence() for _ in range(50))
            check(running, f"put k a{number}{sequences}b", f"Successfully set k as a{number}b")


def test_key__while_the_history_is_searched__types_nothing(tool):
    with at_prompt(tool, "put k one", "get k") as running:
        check(running, "\x12put\x1b[1;5D\x1b[20~" + END, "Successfully set k as one")
        check(running, "\x12one" + UP + UP + "\x1b[B" + END, "one")


def test_sequence__cut_off_by_another_key__is_passed_over(tool):
    with at_prompt(tool) as running:
        check(running, "put k a\x1b[1;5\x1b[20~b", "Successfully set k as ab")
        check(running, "put k \x1b[12;größe", "Successfully set k as röße")  # g ends the sequence


def test_key__bound_in_editrc__does_what_that_says(tool):
    pathlib.Path(tool.folder, ".editrc").write_text(
        'bind "^[[20~" ed-move-to-beg\nbind "^[[5~" ed-move-to-end\nbind -s "^[[21~" "put"\n')
    with at_prompt(tool) as running:
        check(running, "ut k v\x1b[20~p\x1b[5~w", "Successfully set k as vw")
        check(running, "\x1b[21~ k \x1b[22~v", "Successfully set k as v")


# -- pasted text


def paste(text):
    return "\x1b[200~" + text.replace("\n", "\r") + "\x1b[201~"  # as terminals do


def test_paste__is_asked_for_at_the_prompt_alone(tool):
    with at_prompt(tool) as running:
        assert running.raw.count(b"\x1b[?2004h") == 1 and b"\x1b[?2004l" not in running.raw
        running.type("get k")
        assert running.raw.count(b"\x1b[?2004h") == 2 and running.raw.count(b"\x1b[?2004l") == 1
        running.leave()
        assert running.raw.rfind(b"\x1b[?2004l") > running.raw.rfind(b"\x1b[?2004h")


def test_paste__terminal_that_can_nothing__is_not_asked(tool):
    with at_prompt(tool, TERM="dumb") as running:
        assert b"2004" not in running.raw
        assert running.type("get k") == ["<blank>"]


def test_paste__tabs_and_control_characters__are_no_keys(tool, broker):
    value = "a\tb\x01c\x1b[Dd\x12e größe ☃"
    with tool.terminal("-n", "paster") as running, broker.client("paster/wire") as client:
        running.prompt()
        running.press("put k " + paste(f'"{value}"') + "\n")
        running.wait(re.escape("Successfully set k as a\\tb\\x01c\\x1b[Dd\\x12e größe ☃"))
        assert client.call("get", "k") == value


def test_paste__several_lines__are_commands_of_which_none_runs_before_enter(tool, broker):
    with at_prompt(tool) as running:
        running.press(paste("put k one\nget k\n\nput k two\n"))
        running.wait("put k two$")
        assert "Successfully" not in running.seen
        answers = "^Successfully set k as one\none\nSuccessfully set k as two2\n"
        running.press("2\n")
        running.wait(answers)
        running.prompt()
        running.press(UP + "\n")  # the history keeps all of it as one entry
        running.wait(answers)


def test_paste__line_break_within_quotes__is_part_of_the_value(tool, broker):
    with tool.terminal("-n", "paster-of-lines") as running, broker.client("paster-of-lines/wire") as client:
        running.prompt()
        running.press(paste('put k "one\ntwo" \nput l \'three\nfour\'') + "\n")
        running.wait("Successfully set l as three")
        assert client.call("get", "k") == "one\ntwo" and client.call("get", "l") == "three\nfour"


def test_paste__of_64_KiB__is_whole(tool, broker):
    value = "0123456789abcde " * 4096
    with tool.terminal("-n", "paster-of-much") as running, broker.client("paster-of-much/wire") as client:
        running.prompt()
        running.press_all(f"put k '{paste(value)}'\n")
        running.wait("Successfully set k as <65536 bytes>")
        assert client.call("get", "k") == value


def test_paste__at_a_password__is_the_password(tool):
    with at_prompt(tool) as running:
        running.press("auth adam\n")
        running.wait("Password of adam: ")
        assert running.raw.rfind(b"\x1b[?2004l") > running.raw.rfind(b"\x1b[?2004h")
        running.press("eve\n")
        assert running.prompt()[-1] == "Authentication success"
