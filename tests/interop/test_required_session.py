# SPDX-License-Identifier: MPL-2.0
"""The session of the requirements, letter for letter, with two interactive clients at two terminals."""

import pytest

from broker import Broker
from tool import Tool

FIRST_ID = 48106


@pytest.fixture
def people(tmp_path):
    with Broker(options={"ids/first": FIRST_ID}) as broker:
        tool = Tool(broker.request_endpoint, tmp_path)
        with tool.terminal() as guest:
            guest_greeting = guest.prompt()
            with tool.terminal() as manager:
                yield broker.request_endpoint, guest, guest_greeting, manager, manager.prompt()


def test_required_session__two_clients_at_terminals__letter_for_letter(people):
    endpoint, guest, guest_greeting, manager, manager_greeting = people
    assert guest_greeting == [f"Connected to {endpoint} as client 48106"]
    assert manager_greeting == [f"Connected to {endpoint} as client 48107"]

    assert guest.type("get city") == ["<blank>"]
    assert guest.type("put city Kolkata") == ["Successfully set city as Kolkata"]
    assert guest.type("get city") == ["Kolkata"]
    assert guest.type("bad command") == ["Illegal command"]

    assert manager.type("auth adam wrong") == ["Authentication failure"]
    assert manager.type("auth adam eve") == ["Authentication success"]
    assert manager.type("manage 48106 get city") == ["Kolkata"]
    assert manager.type("manage 48106 put city Mumbai") == ["Successfully set city as Mumbai"]
    assert manager.type("get city") == ["<blank>"]

    assert guest.type("get city") == ["Mumbai"]
    assert guest.leave() == 0
    assert manager.leave() == 0
