"""Bytes of the host link: frames, commands, status codes. Plain Python, for both ends; see docs/design/link.md."""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

FLAG = 0x7E
"""Before and after each frame, and nowhere else on the line."""

ESCAPE = 0x7D
"""Before a byte that would be :data:`FLAG` or :data:`ESCAPE`."""

ESCAPE_XOR = 0x20
"""What the escaped byte is changed by."""

VERSION = 1
"""Of the protocol; told when a session opens."""

REQUEST_HEAD_BYTES = 6
"""Session, sequence number, kind."""

REPLY_HEAD_BYTES = 8
"""Session, sequence number, status, words done."""

COMMAND_BYTES = 6
"""Command, count, address; data follow."""

CRC_BYTES = 4

_FLAG, _ESCAPE = bytes([FLAG]), bytes([ESCAPE])
_ESCAPED_FLAG, _ESCAPED_ESCAPE = bytes([ESCAPE, FLAG ^ ESCAPE_XOR]), bytes([ESCAPE, ESCAPE ^ ESCAPE_XOR])
_REQUEST, _REPLY, _COMMAND, _CRC = (struct.Struct(text) for text in ("<IBB", "<IBBH", "<BBI", "<I"))


class Kind(IntEnum):
    """Kinds of requests."""

    OPEN = 1
    """Begin a session, whose number is the request's."""
    EXECUTE = 2
    """Execute the commands of the body."""


class Command(IntEnum):
    """Commands in the body of a request."""

    READ = 1
    """Read ``count`` words."""
    WRITE = 2
    """Write ``count`` words, which follow."""
    POLL = 3
    """Read a word until it has a bit of the mask that follows, at most ``256 * count`` times."""


class Status(IntEnum):
    """What became of a request."""

    OK = 0
    """All was executed."""
    BUS_ERROR = 1
    """The bus answered an access with an error, or the address lies outside; the rest was not executed."""
    TIMEOUT = 2
    """The bus did not answer an access; the rest was not executed."""
    REFUSED = 3
    """A command is not legal, is cut short, or its data do not fit in the reply; the rest was not executed."""
    EXPIRED = 4
    """No bit of the mask was seen; the rest was not executed."""
    NO_SESSION = 8
    """The session is not open: the device was reset, or another host opened one. Nothing was executed."""
    OUT_OF_SEQUENCE = 9
    """Neither the next request nor a repetition of the last. Nothing was executed."""
    OPENED = 10
    """The session is open."""


def encode_frame(content: bytes) -> bytes:
    """A frame on the line: flag, content and its CRC with escapes, flag."""
    body = content + _CRC.pack(zlib.crc32(content))
    body = body.replace(_ESCAPE, _ESCAPED_ESCAPE).replace(_FLAG, _ESCAPED_FLAG)
    return _FLAG + body + _FLAG


def encode_request(session: int, sequence: int, kind: int, body: bytes = b"") -> bytes:
    """A request on the line."""
    return encode_frame(_REQUEST.pack(session, sequence, kind) + body)


def encode_command(
    command: int, address: int, count: int, data: bytes = b"", *, increment: bool = True, strobe: int = 0xF
) -> bytes:
    """A command of a request's body; ``data`` are the words to write or the mask, little endian."""
    return _COMMAND.pack(command | (0 if increment else 4) | strobe << 4, count, address) + data


@dataclass(frozen=True)
class Reply:
    """A reply. ``words``: accesses that were done, or :data:`VERSION` and the sizes when a session opens."""

    session: int
    sequence: int
    status: int
    words: int
    body: bytes

    @classmethod
    def decode(cls, content: bytes) -> "Reply":
        """From the content of a frame of at least :data:`REPLY_HEAD_BYTES`."""
        session, sequence, status, words = _REPLY.unpack_from(content)
        return cls(session, sequence, status, words, content[REPLY_HEAD_BYTES:])


class FrameReader:
    """Finds the frames in a stream of bytes.

    Parameters
    ----------
    shortest, longest
        Bytes of the content of a frame, without its CRC; others are dropped.
    """

    def __init__(self, shortest: int, longest: int) -> None:
        self._shortest, self._longest = shortest + CRC_BYTES, longest + CRC_BYTES
        self._pending = bytearray()
        self.damaged = 0
        """Frames that were dropped."""

    def clear(self) -> None:
        """Forget the frame that has begun."""
        self._pending.clear()

    def feed(self, data: bytes) -> list[bytes]:
        """Contents of the undamaged frames that end in ``data``."""
        first, *rest = data.split(_FLAG)
        self._hold(first)
        frames: list[bytes] = []
        for part in rest:
            content = self._content(bytes(self._pending))
            if content is not None:
                frames.append(content)
            self.damaged += content is None and bool(self._pending)
            self._pending.clear()
            self._hold(part)
        return frames

    def _hold(self, part: bytes) -> None:
        # Twice the most bytes and one more cannot become a frame; what is beyond need not be kept.
        self._pending += part[: max(2 * self._longest + 2 - len(self._pending), 0)]

    def _content(self, raw: bytes) -> bytes | None:
        if _ESCAPE in raw:
            unescaped = _unescape(raw)
            if unescaped is None:
                return None
            raw = unescaped
        if not self._shortest <= len(raw) <= self._longest:
            return None
        content = raw[:-CRC_BYTES]
        return content if zlib.crc32(content) == _CRC.unpack_from(raw, len(content))[0] else None


def _unescape(raw: bytes) -> bytes | None:
    """Without escapes, or None if the last byte is one."""
    plain, escaped = bytearray(), False
    for byte in raw:
        if escaped:
            plain.append(byte ^ ESCAPE_XOR)
            escaped = False
        elif byte == ESCAPE:
            escaped = True
        else:
            plain.append(byte)
    return None if escaped else bytes(plain)


@dataclass(frozen=True, kw_only=True)
class LinkConfig:
    """Static parameters of the device's end of the link.

    Raises ValueError if a parameter is out of its range.
    """

    size: int = 512
    """Bytes of each of the two buffers, a power of two from 64 to 4096: the longest request with its CRC, and the
    longest body of a reply."""
    address_width: int = 32
    """Bits of a byte address of the bus, 3 to 32. An access above answers with an error."""
    timeout: int = 65535
    """Clock cycles after which an access that the bus has not answered is given up, 1 to 2**20."""

    def __post_init__(self) -> None:
        if self.size not in (64, 128, 256, 512, 1024, 2048, 4096):
            raise ValueError(f"Size must be a power of two from 64 to 4096, not {self.size!r}")
        if not 3 <= self.address_width <= 32:
            raise ValueError(f"Address width must be between 3 and 32, not {self.address_width!r}")
        if not 1 <= self.timeout <= 2**20:
            raise ValueError(f"Timeout must be between 1 and {2**20} cycles, not {self.timeout!r}")

    @property
    def opened(self) -> int:
        """What the words of a reply are when a session opens: version, and the logarithm of the size."""
        return VERSION | (self.size.bit_length() - 1) << 8
