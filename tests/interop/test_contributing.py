# SPDX-License-Identifier: MPL-2.0
"""Runs every command of CONTRIBUTING.md, in order, in a fresh checkout. Slow commands are replaced: a build by the build under
test, a run of all tests by their list, benchmarks and fuzzers by a few rounds. tests/run is left out, because it runs this
test."""

import json
import subprocess
import sys

import pytest

from project import REPOSITORY, SANITIZED, build_folder, fresh_checkout
from waiting import TIMEOUT
from walkthrough import blocks_of

BLOCKS = blocks_of((REPOSITORY / "CONTRIBUTING.md").read_text())
BUILD = build_folder()
PRESETS = [preset["name"] for preset in json.loads((REPOSITORY / "CMakePresets.json").read_text())["buildPresets"]]

# Programs that stand first on PATH, in place of the real ones.
TOOLS = {
    "cmake": f"""#!{sys.executable}
import pathlib, sys
arguments = [argument for argument in sys.argv[1:] if not argument.startswith("-DKV_") and "ccache" not in argument]
configures, builds = arguments[:1] == ["--preset"], arguments[:2] == ["--build", "--preset"]
preset = arguments[1 if configures else 2]
folder = pathlib.Path("build", preset)
if not (configures or builds) or preset not in {PRESETS} or arguments[3:4] not in ([], ["-j"]):
    sys.exit(f"cmake {{sys.argv[1:]}}: not expected")
if configures:
    folder.parent.mkdir(exist_ok=True)
elif not folder.exists():
    folder.symlink_to(pathlib.Path("..", "..", "builds", preset))
""",
    "ctest": """#!/bin/sh
case " $* " in
    *" -R "* | *" -L "*) exec /usr/bin/ctest "$@" ;;
    *) exec /usr/bin/ctest -N "$@" ;;
esac
""",
}
# valgrind cannot run programs with sanitizers.
WITHOUT_VALGRIND = {
    "valgrind": """#!/bin/sh
while :; do
    case $1 in
        --callgrind-out-file=*) echo "summary: 0" >"${1#*=}" ;;
        -*) ;;
        *) exec "$@" ;;
    esac
    shift
done
""",
    "callgrind_annotate": """#!/bin/sh
exec cat "$1"
""",
}
# Replacements for programs of a build; they do less work.
SHORT = {
    "release": {"bench_requests": 'exec "$real" "$1" "$2" 100 10 2 100'},
    "fuzz": {"fuzz_rpc": """for word; do
    shift
    case $word in
        -*) ;;
        *) [ -z "$(ls "$word")" ] || set -- "$@" "$word" ;;
    esac
done
exec "$real" "$@"
"""},
}


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)


def short_build(folder, programs):
    """Makes FOLDER a copy of the build under test with PROGRAMS among its test programs."""
    (folder / "tests").mkdir(parents=True)
    (folder / "bin").symlink_to(BUILD / "bin")
    for program in (BUILD / "tests").glob("bench_*"):
        if program.name not in programs:
            (folder / "tests" / program.name).symlink_to(program)
    for name, text in programs.items():
        script(folder / "tests" / name, f"#!/bin/sh\nreal={BUILD}/tests/{name}\n{text}\n")


@pytest.fixture
def checkout(tmp_path):
    """A fresh checkout, and beside it the builds that the replaced cmake links to."""
    root = fresh_checkout(tmp_path / "kvbroker")
    builds, tools = tmp_path / "builds", tmp_path / "tools"
    builds.mkdir()
    (builds / "dev").symlink_to(BUILD)
    for preset, programs in SHORT.items():
        short_build(builds / preset, programs)
    tools.mkdir()
    for name, text in (TOOLS | (WITHOUT_VALGRIND if SANITIZED else {})).items():
        script(tools / name, text)
    return root


def test_every_command__in_order__ends_well(checkout, tmp_path):
    assert len(BLOCKS) > 10 and {block.kind for block in BLOCKS} == {"sh"}
    environment = {"HOME": str(tmp_path), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
                   "PATH": f"{tmp_path / 'tools'}:/usr/sbin:/usr/bin:/sbin:/bin"}
    for block in BLOCKS:
        if block.text == "tests/run\n":
            continue
        done = subprocess.run(["bash", "-euc", block.text], cwd=checkout, env=environment, capture_output=True, text=True,
                              check=False, timeout=8 * TIMEOUT, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, block.text + done.stdout + done.stderr
        assert "No tests were found" not in done.stdout + done.stderr, block.text
        if "check_" in block.text:
            assert done.stdout + done.stderr == "", block.text


def test_presets__of_the_table__are_all_there_are():
    table = (REPOSITORY / "CONTRIBUTING.md").read_text().split("| preset |")[1].split("\n\n")[0]
    named = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted([*named, "dev"]) == sorted(PRESETS)
