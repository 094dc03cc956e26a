"""The device's end of the host link, as a reference: bytes in, bytes out."""

import struct
from typing import Protocol

from mho.hw.host.link.format import (
    COMMAND_BYTES,
    REQUEST_HEAD_BYTES,
    Command,
    FrameReader,
    Kind,
    LinkConfig,
    Status,
    encode_frame,
)

__all__ = ["LinkBus", "LinkDevice", "encode_reply"]

_HEAD, _REPLY, _COMMAND, _WORD = (struct.Struct(text) for text in ("<IBB", "<IBBH", "<BBI", "<I"))


def encode_reply(session: int, sequence: int, status: int, words: int, body: bytes = b"") -> bytes:
    """A reply on the line."""
    return encode_frame(_REPLY.pack(session, sequence, status, words) + body)


class LinkBus(Protocol):
    """What the reference accesses: a bus of words."""

    def access(self, address: int, write: bool, data: int, strobe: int) -> tuple[Status, int]:
        """Status (``OK``, ``BUS_ERROR`` or ``TIMEOUT``) and the word that was read."""
        ...


class LinkDevice:
    """Bit-exact reference of :class:`mho.hw.host.link.endpoint.LinkTarget`, without time.

    Parameters
    ----------
    cfg
        Configuration.
    bus
        What the requests access.
    """

    def __init__(self, cfg: LinkConfig, bus: LinkBus) -> None:
        self.cfg, self.bus = cfg, bus
        self._frames = FrameReader(REQUEST_HEAD_BYTES, cfg.size - 4)
        self.reset()

    def reset(self) -> None:
        """As the hardware's reset: no session, no frame begun."""
        self._frames.clear()
        self._session: int | None = None
        self._last = 0
        self._status, self._words, self._body = Status.OPENED, 0, bytearray()
        self._abandoned = False

    def feed(self, data: bytes) -> bytes:
        """Take ``data`` from the line; what is sent."""
        return b"".join(self._answer(content) for content in self._frames.feed(data))

    def _answer(self, content: bytes) -> bytes:
        session, sequence, kind = _HEAD.unpack_from(content)
        same_session = session == self._session
        if kind == Kind.OPEN:
            if not same_session:
                self._session, self._last = session, 0
                self._status, self._words, self._body = Status.OPENED, 0, bytearray()
            return encode_reply(session, self._last, Status.OPENED, self.cfg.opened)
        if kind != Kind.EXECUTE:
            return encode_reply(session, sequence, Status.REFUSED, 0)
        if not same_session:
            return encode_reply(session, sequence, Status.NO_SESSION, 0)
        if sequence != self._last:
            if sequence != (self._last + 1) & 0xFF:
                return encode_reply(session, sequence, Status.OUT_OF_SEQUENCE, 0)
            self._last, self._words, self._body = sequence, 0, bytearray()
            self._status = Status.TIMEOUT if self._abandoned else self._execute(content[REQUEST_HEAD_BYTES:])
        return encode_reply(session, sequence, self._status, self._words, bytes(self._body))

    def _execute(self, body: bytes) -> Status:
        position, status = 0, Status.OK
        while position < len(body) and status is Status.OK:
            if position + COMMAND_BYTES > len(body):
                return Status.REFUSED
            command, count, address = _COMMAND.unpack_from(body, position)
            position += COMMAND_BYTES
            if not command & 3 or command & 8 or not count or address & 3:
                return Status.REFUSED
            if command & 3 == Command.READ:
                status = self._read(address, count, 0 if command & 4 else 4)
            elif command & 3 == Command.WRITE:
                data = body[position : position + 4 * count]
                status = self._write(address, count, 0 if command & 4 else 4, data, command >> 4)
                position += 4 * count
            else:
                status = self._poll(address, count, body[position : position + 4])
                position += 4
        return status

    def _access(self, address: int, write: bool = False, data: int = 0, strobe: int = 0xF) -> tuple[Status, int]:
        if address >> self.cfg.address_width:
            return Status.BUS_ERROR, 0
        status, word = self.bus.access(address, write, data, strobe)
        self._abandoned = status is Status.TIMEOUT
        return status, word

    def _read(self, address: int, count: int, step: int) -> Status:
        for number in range(count):
            if len(self._body) == self.cfg.size:
                return Status.REFUSED
            status, word = self._access((address + number * step) & 0xFFFFFFFF)
            if status is not Status.OK:
                return status
            self._keep(word)
        return Status.OK

    def _write(self, address: int, count: int, step: int, data: bytes, strobe: int) -> Status:
        for number in range(count):
            if 4 * number + 4 > len(data):
                return Status.REFUSED
            (word,) = _WORD.unpack_from(data, 4 * number)
            status, _ = self._access((address + number * step) & 0xFFFFFFFF, True, word, strobe)
            if status is not Status.OK:
                return status
            self._words += 1
        return Status.OK

    def _poll(self, address: int, count: int, data: bytes) -> Status:
        if len(data) < 4 or len(self._body) == self.cfg.size:
            return Status.REFUSED
        (mask,) = _WORD.unpack(data)
        for _ in range(256 * count):
            status, word = self._access(address)
            if status is not Status.OK:
                return status
            if word & mask:
                self._keep(word)
                return Status.OK
        return Status.EXPIRED

    def _keep(self, word: int) -> None:
        self._words += 1
        self._body += _WORD.pack(word)
