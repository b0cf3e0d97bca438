# SPDX-License-Identifier: MPL-2.0
"""examples/fleet, with the build under test."""

import subprocess

from project import REPOSITORY, build_folder
from waiting import TIMEOUT


def test_fleet__50_devices_and_a_watching_manager__all_of_it_happens():
    done = subprocess.run([REPOSITORY / "examples" / "fleet", build_folder()], capture_output=True, text=True, timeout=8 * TIMEOUT)
    assert done.returncode == 0, done.stdout + done.stderr
    for told in ("50 devices have connected", "each takes a reading every 250 ms now", "device-01 refuses", "device-02 was killed",
                 "device-02 is back", "all have said goodbye", "without a hole", "applied interval_ms = 250"):
        assert told in done.stdout, done.stdout


def test_fleet__a_build_without_programs__fails_and_says_so(tmp_path):
    done = subprocess.run([REPOSITORY / "examples" / "fleet", tmp_path], capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 1
    assert f"{tmp_path}/examples/device" in done.stderr and "Run examples/quickstart" in done.stderr
