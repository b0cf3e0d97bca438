# SPDX-License-Identifier: MPL-2.0
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from kvtest import Broker  # noqa: E402  (the path above comes first)


@pytest.fixture(scope="module")
def broker():
    """One broker for the tests of a file that need nothing special of it; each test uses clients of its own."""
    with Broker() as running:
        yield running
