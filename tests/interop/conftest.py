# SPDX-License-Identifier: MPL-2.0
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import chance  # noqa: E402  (the path above comes first)
from broker import Broker  # noqa: E402
from client import unique  # noqa: E402
from tool import Tool  # noqa: E402


def pytest_sessionstart(session):
    """Prints the seed before a test can hang: pytest shows the output of a test only when it ends."""
    session.config.pluginmanager.get_plugin("terminalreporter").write_line(f"KV_SEED={chance.SEED}")


@pytest.fixture(scope="module")
def broker():
    """One broker for all tests of a file that need no special options. Each test uses its own clients."""
    with Broker() as running:
        yield running


@pytest.fixture
def own_broker():
    """A broker for one test with raw event connections. They do not reconnect as a SUB socket does, and when the managers of an
    earlier test end, the broker may close any event connection that it cannot tell from theirs (PROTOCOL.md 6.1)."""
    with Broker() as running:
        yield running


@pytest.fixture(scope="module")
def manager(broker):
    return broker.manager()


@pytest.fixture
def client(broker):
    """A client without a name: its store is empty at first."""
    with broker.client() as made:
        yield made


@pytest.fixture
def tool(broker, tmp_path):
    """kvzmq-cli with the broker of the file."""
    return Tool(broker.request_endpoint, tmp_path)


@pytest.fixture
def name(request):
    """A client name that no other test uses, because its keys stay in the broker after the test."""
    return unique(request.module.__name__.removeprefix("test_"))
