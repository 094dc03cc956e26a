"""Messages between a backend and the process of its simulator: a kind and objects, pickled.

Both ends are this package, in processes of one user, and nobody else has the connection.
"""

from multiprocessing.connection import Connection
from typing import Any


class Closed(Exception):
    """The other side has gone."""


class Link:
    """One end of a pair of connections (``multiprocessing.Pipe``)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.timeout_s: float | None = None

    def send(self, kind: str, content: object = None) -> None:
        """Send a message; :class:`Closed` if the other side has gone."""
        try:
            self._connection.send((kind, content))
        except OSError as error:
            raise Closed from error

    def receive(self) -> tuple[str, Any]:
        """Wait for a message: its kind and content. Raises :class:`Closed`, or ``TimeoutError`` after ``timeout_s``."""
        try:
            if self._connection.poll(self.timeout_s):
                return self._connection.recv()
        except (EOFError, OSError) as error:
            raise Closed from error
        raise TimeoutError

    def close(self) -> None:
        """Close this end."""
        self._connection.close()
