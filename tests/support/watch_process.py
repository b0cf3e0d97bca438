# SPDX-License-Identifier: MPL-2.0
"""A watcher (subscriber.py) in a process of its own, which a test can stop and kill (watchers.py). Takes one JSON object as its
argument; writes its stream to a file, a line an event (seq, prev, kind, client, key, XXH64 of the value) or a reset
("reset", seq); told a seq on standard input, goes on until it is there, and prints what it has."""

import json
import os
import sys

import zmq

from subscriber import Watcher, digest_of
from waiting import readable
from watchers import checksum


def main():
    options = json.loads(sys.argv[1])
    output = os.open(options["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    lines = []

    def on_event(event):
        lines.append(f'{event["seq"]} {event["prev"]} {event["kind"]} {event["client"]} {event["key"] or "-"} '
                     f'{checksum(event["value"])}\n')

    watcher = Watcher(options["endpoint"], options["account"], on_event, lambda seq: lines.append(f"reset {seq}\n"),
                      since=options.get("since"), events_endpoint=options.get("events"), patience=3.0,
                      sockopt={zmq.RCVHWM: options["mark"]} if options["mark"] else None)
    until = None
    while until is None or watcher.seq is None or watcher.seq < until:
        watcher.step()
        if lines:
            os.write(output, "".join(lines).encode())
            lines.clear()
        if until is None and readable(sys.stdin):
            until = int(sys.stdin.readline())
    digests = {client: digest_of(store) for client, store in watcher.stores.items() if store}
    print(json.dumps({"seq": watcher.seq, "replays": watcher.replays, "begun": watcher.begun, "digests": digests}))


if __name__ == "__main__":
    main()
