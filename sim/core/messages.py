"""Messages between a backend and the simulator process: a JSON header and arrays as .npy, never pickle.

A frame is the length of the header (4 bytes, little endian), the header, and the arrays one after the other; the header
holds their names and sizes.
"""

import io
import json
import socket
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Closed", "Link", "Message"]

_MAX_HEADER = 1 << 24


class Closed(Exception):
    """The other side has gone."""


class Message:
    """One message: what it is, plain values, and arrays.

    Attributes
    ----------
    kind
        Name of the request or of the answer.
    values
        JSON values.
    arrays
        Arrays by name, of any shape; read-only where they were received.
    """

    def __init__(
        self, kind: str, values: Mapping[str, Any] | None = None, arrays: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        self.kind = kind
        self.values = dict(values or {})
        self.arrays = dict(arrays or {})


class Link:
    """Both ends of a connected stream socket speak this."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def send(self, message: Message) -> None:
        """Send a whole message; :class:`Closed` if the other side has gone."""
        blobs: list[bytes] = []
        sizes: list[tuple[str, int]] = []
        for name, array in message.arrays.items():
            blob = io.BytesIO()
            np.lib.format.write_array(blob, np.ascontiguousarray(array), allow_pickle=False)
            blobs.append(blob.getvalue())
            sizes.append((name, len(blobs[-1])))
        header = json.dumps({"kind": message.kind, "values": message.values, "arrays": sizes}).encode()
        try:
            self.connection.sendall(len(header).to_bytes(4, "little") + header + b"".join(blobs))
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise Closed from error

    def receive(self) -> Message:
        """Wait for a whole message. Raises :class:`Closed`, or ``TimeoutError`` as the socket is set."""
        size = int.from_bytes(self._read(4), "little")
        if size > _MAX_HEADER:
            raise Closed
        header = json.loads(self._read(size))
        arrays = {name: self._array(length) for name, length in header["arrays"]}
        return Message(header["kind"], header["values"], arrays)

    def close(self) -> None:
        """Close this end."""
        self.connection.close()

    def _array(self, length: int) -> NDArray[Any]:
        return np.lib.format.read_array(io.BytesIO(self._read(length)), allow_pickle=False)

    def _read(self, length: int) -> bytes:
        buffer = bytearray(length)
        view = memoryview(buffer)
        while view:
            try:
                count = self.connection.recv_into(view)
            except TimeoutError:
                raise
            except OSError as error:
                raise Closed from error
            if not count:
                raise Closed
            view = view[count:]
        return bytes(buffer)
