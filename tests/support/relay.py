# SPDX-License-Identifier: MPL-2.0
"""A relay of tcp connections. A test can cut them without the help of either end."""

import contextlib
import selectors
import socket
import threading

from closing import Closing


class Relay(Closing):
    """Relays to ENDPOINT. If that is None, refuses connections until `aim` sets an endpoint."""

    def __init__(self, endpoint=None):
        self.target = None
        if endpoint:
            self.aim(endpoint)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.pairs = {}  # {socket: socket of the other side}
        self.cut_asked = threading.Event()
        self.stopping = False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def aim(self, endpoint):
        host, _, port = endpoint.split("://", 1)[1].rpartition(":")
        self.target = (host, int(port))

    def cut(self):
        """Makes the thread close all connections soon."""
        self.cut_asked.set()

    def close(self):
        self.stopping = True
        self.thread.join()

    def passes(self, data):
        """Whether to pass DATA on. If not, the connection is cut. A derived class can override this."""
        return True

    def _run(self):
        with selectors.DefaultSelector() as selector, self.listener:
            selector.register(self.listener, selectors.EVENT_READ)
            while not self.stopping:
                for key, _ in selector.select(0.05):
                    if key.fileobj is self.listener:
                        self._accept(selector)
                    elif key.fileobj in self.pairs:
                        self._forward(selector, key.fileobj)
                if self.cut_asked.is_set():
                    self.cut_asked.clear()
                    self._drop(selector, list(self.pairs))
            self._drop(selector, list(self.pairs))

    def _accept(self, selector):
        near, _ = self.listener.accept()
        try:
            far = socket.create_connection(self.target or ("127.0.0.1", 0))
        except OSError:
            near.close()
            return
        for end, other in ((near, far), (far, near)):
            end.settimeout(0.2)  # an end that does not read for this long is cut, so that the others do not wait
            self.pairs[end] = other
            selector.register(end, selectors.EVENT_READ)

    def _forward(self, selector, end):
        try:
            data = end.recv(65536)
            if data and self.passes(data):
                self.pairs[end].sendall(data)
                return
        except OSError:
            pass
        self._drop(selector, [end])

    def _drop(self, selector, ends):
        for end in ends:
            for one in (end, self.pairs.get(end)):
                if one in self.pairs:
                    del self.pairs[one]
                    selector.unregister(one)
                    with contextlib.suppress(OSError):
                        one.close()
