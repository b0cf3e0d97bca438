# SPDX-License-Identifier: MPL-2.0
"""A watcher (subscriber.py) in its own process, so that a test can stop and kill it (watchers.py). Its argument is a JSON
object. It writes its stream to a file, one line for each event (seq, prev, kind, client, key, XXH64 of the value) or reset
("reset", seq). When it reads a seq on standard input, it runs until its stream has reached it, then prints its state."""

import json
import os
import sys

import zmq

from stores import digest_of
from subscriber import Watcher
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
