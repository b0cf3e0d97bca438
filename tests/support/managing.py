# SPDX-License-Identifier: MPL-2.0
"""Shared by tests with managers: making a client wait, and looking at all clients."""

import itertools

from rpc import pack
from waiting import wait_until


def park(manager, client, *behind, user="slow", password="eve"):
    """Makes CLIENT wait for a password that takes long to verify (slow_hash). The requests BEHIND (method, params…) follow in
    the same payload. The msgids are 1, 2, …. Returns when the broker has the request."""
    before = manager.call("stats")["requests_total"]
    client.send_raw(b"".join(pack([0, msgid, method, list(params)])
                             for msgid, (method, *params) in enumerate((("auth", user, password), *behind), 1)))
    asked = itertools.count(2)  # one for the `auth`, and one for each `stats`, which counts itself
    wait_until(lambda: manager.call("stats")["requests_total"] >= before + next(asked), what="the broker has the request")


def clients_of(manager, prefix=""):
    """Returns every client that the broker knows, by id: all pages of `clients`."""
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
    """Returns {client: digest} of every store with keys. (A client without keys may be gone before its digest is asked for.)"""
    return {name: manager.call("manage", name, "digest")["digest"]
            for name, client in clients_of(manager).items() if client["keys"]}


def wait_disconnected(manager, client):
    """Waits until CLIENT has no session, or is gone."""
    wait_until(lambda: not clients_of(manager).get(client, {"connected": False})["connected"],
               what=f"client {client} has no session")
