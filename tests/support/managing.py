# SPDX-License-Identifier: MPL-2.0
"""What managers do in many tests: look at all clients, and have one wait."""

import itertools

from rpc import pack
from waiting import wait_until


def park(manager, client, *behind, user="slow", password="eve"):
    """Has CLIENT wait for a password that takes long to verify (slow_hash), with the requests BEHIND it (method, params…) in
    the same payload; their msgids are 1, 2, …. Returns once the broker has it."""
    before = manager.call("stats")["requests_total"]
    client.send_raw(b"".join(pack([0, msgid, method, list(params)])
                             for msgid, (method, *params) in enumerate((("auth", user, password), *behind), 1)))
    asked = itertools.count(2)  # this one, and the questions themselves
    wait_until(lambda: manager.call("stats")["requests_total"] >= before + next(asked), what="the request is there")


def clients_of(manager, prefix=""):
    """Every client that the broker knows, by id: all pages of `clients`."""
    found = {}
    options = {"limit": 10000}
    if prefix:
        options["prefix"] = prefix
    while True:
        page = manager.call("clients", options)
        for entry in page["clients"]:
            found[entry["id"]] = entry
        if not page["more"]:
            return found
        options["after"] = page["clients"][-1]["id"]


def digests_of(manager):
    """{client: digest} of every store with keys. (Who has none may be gone by the time one asks.)"""
    return {name: manager.call("manage", name, "digest")["digest"]
            for name, client in clients_of(manager).items() if client["keys"]}
