# SPDX-License-Identifier: MPL-2.0
"""Stores as clients and managers read them."""

import xxhash


def as_bytes(value):
    return value if isinstance(value, bytes) else value.encode()


def digest_of(entries):
    """Returns the digest of a store, PROTOCOL.md 7. ENTRIES is {key: (value, revision)}."""
    digest = 0
    for key, (value, revision) in entries.items():
        name = key.encode()
        digest ^= xxhash.xxh64_intdigest(len(name).to_bytes(4, "little") + name + bytes([isinstance(value, bytes)])
                                         + as_bytes(value) + revision.to_bytes(8, "little"))
    return digest


def entries_of(reader, prefix="", of=None, **options):
    """Returns all entries of READER's store, or of that of the client OF, which READER manages: page after page of `list`."""
    method = ("list",) if of is None else ("manage", of, "list")
    entries = []
    while True:
        page = reader.call(*method, prefix, options)
        entries += page["entries"]
        if not page["more"]:
            return entries
        options["after"] = entries[-1][0]
