# SPDX-License-Identifier: MPL-2.0
"""examples/quickstart, the run command of README.md, with the build under test."""

import subprocess

from project import REPOSITORY, binary_of, build_folder
from waiting import TIMEOUT


def quickstart(build):
    return subprocess.run([REPOSITORY / "examples" / "quickstart", "--no-install", "--build-dir", build],
                          capture_output=True, text=True, timeout=4 * TIMEOUT)


def test_quickstart__plays_the_session__every_answer_is_expected():
    done = quickstart(build_folder())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "> put city Kolkata\n    Successfully set city as Kolkata\n" in done.stdout
    assert "> manage 48106 put city Mumbai\n    Successfully set city as Mumbai\n" in done.stdout
    assert "Bye" in done.stdout


def test_quickstart__a_wrong_answer__fails_and_says_which(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kvbroker").symlink_to(binary_of("kvbroker"))
    tool = tmp_path / "bin" / "kvzmq-cli"
    tool.write_text("#!/bin/sh\nstty -echo\nprintf 'Connected to somewhere as client 1\\n> '\n"
                    "while read -r line; do printf '%s\\nDelhi\\n> ' \"$line\"; done\n")
    tool.chmod(0o755)
    done = quickstart(tmp_path)
    assert done.returncode == 1
    assert "^^^ expected: Kolkata" in done.stdout
    assert "9 of 9 answers" in done.stderr


def test_quickstart__while_it_builds__shows_how_far_it_is_and_builds_what_the_fleet_needs(tmp_path):
    """A stand-in for cmake prints its arguments and fails, so that nothing is built in the checkout."""
    cmake = tmp_path / "cmake"
    cmake.write_text('#!/bin/sh\n[ "$1" = --build ] || exit 0\necho "progress of $*"\nexit 1\n')
    cmake.chmod(0o755)
    done = subprocess.run([REPOSITORY / "examples" / "quickstart", "--no-install"], capture_output=True, text=True,
                          timeout=TIMEOUT, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False)
    assert done.returncode == 1 and "the build failed" in done.stderr
    first, progress = done.stdout.splitlines()
    assert first.startswith("Building ") and "minute" in first
    assert progress == "progress of --build --preset release --target kvbroker kvzmq-cli device"
