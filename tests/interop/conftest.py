# SPDX-License-Identifier: MPL-2.0
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import chance  # noqa: E402  (the path above comes first)
from broker import Broker  # noqa: E402
from client import unique  # noqa: E402


def pytest_sessionstart(session):
    """Said before anything can hang: what a test prints itself is shown only when it ends."""
    session.config.pluginmanager.get_plugin("terminalreporter").write_line(f"KV_SEED={chance.SEED}")


@pytest.fixture(scope="module")
def broker():
    """One broker for the tests of a file that need nothing special of it; each test uses clients of its own."""
    with Broker() as running:
        yield running


@pytest.fixture
def own_broker():
    """For a test with raw event connections, which do not come back as a SUB does. When the managers of the test before end,
    the broker may close any event connection that it cannot tell from theirs (PROTOCOL.md 6.1)."""
    with Broker() as running:
        yield running


@pytest.fixture(scope="module")
def manager(broker):
    return broker.manager()


@pytest.fixture
def name(request):
    """A client's name that no other test uses: what it leaves outlives the test."""
    return unique(request.module.__name__.removeprefix("test_"))
