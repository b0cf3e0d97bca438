# SPDX-License-Identifier: MPL-2.0
"""What is closed when a `with` ends."""


class Closing:
    """Has close()."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
