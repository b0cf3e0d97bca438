# SPDX-License-Identifier: MPL-2.0
"""Objects that are closed at the end of a `with`."""


class Closing:
    """A base class for objects with close()."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
