"""What the host loads into a tile before it starts: instructions, descriptors, parameters, tables, the buffer.

As a file it is a row of sections behind a magic number, each with its length, and a checksum at the end. The same
program has the same bytes.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import DESCRIPTOR_WORDS, DESCRIPTORS, PARAMETER, TABLE_ENTRIES, TABLES, Cause, Op, decode
from mho.macro_models.errors import InputError

REGISTERS = 3
"""Host registers that loops may count by, numbered from 1."""

LIMITS = TileConfig(instructions=512, parameters=1024, buffer_kib=64)
"""The largest tile: what a program can be for any."""

_MAGIC, _VERSION = b"mhoT", 1
_HEAD, _SECTION, _SUM = struct.Struct("<4sHH"), struct.Struct("<4sI"), struct.Struct("<I")


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """The contents of a tile's memories at the start."""

    words: tuple[int, ...] = ()
    """Instructions from address 0 on; the rest of the memory is HALT."""
    descriptors: tuple[int, ...] = (0,) * DESCRIPTOR_WORDS
    """Descriptor memory, 160 words."""
    parameters: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    """Words of 64 bits from address 0 on; the rest is 0."""
    tables: NDArray[np.int16] = field(default_factory=lambda: np.zeros((TABLES, TABLE_ENTRIES), np.int16))
    """Both tables, (2, 1024), 16 bits signed."""
    buffer: bytes = b""
    """Bytes from address 0 on; the rest is 0."""
    registers: tuple[int, ...] = (0,) * REGISTERS
    """Host registers 1 to 3, 16 bits."""
    image: int = 0
    """Number of the first image, 32 bits."""
    key: int = 0
    """Of the random numbers that its operations draw, 64 bits (:func:`mho.macro_models.integer.draws.draw_key`)."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.pack() == other.pack()

    __hash__ = None  # type: ignore[assignment]

    def descriptor(self, kind: str, number: int) -> dict[str, int]:
        """Values of a descriptor."""
        return DESCRIPTORS[kind].values(self.descriptors, number)

    @property
    def counts(self) -> bool:
        """Whether a loop counts by register 1, of which a host makes the images of a run (:meth:`for_images`)."""
        return any(op is Op.LOOP and not fields["n"] and fields["reg"] == 1 for _, op, fields, _ in self.instructions())

    def instructions(self) -> Iterator[tuple[int, Op | None, dict[str, int], Cause]]:
        """Each instruction: its address, and what :func:`mho.hw.tile.isa.decode` says; words behind SET are data."""
        at = 0
        while at < len(self.words):
            op, fields, cause = decode(self.words[at])
            yield at, op, fields, cause
            at += 1 + (fields["words"] if op is Op.SET else 0)

    def for_images(self, images: int) -> "Program":
        """The same for a run of so many images: register 1 has one less, if it counts them.

        Raises InputError if they are more than a register counts.
        """
        if not self.counts:
            return self
        if not 1 <= images <= 1 << 16:
            raise InputError(f"a run must have 1 to {1 << 16} images on tiles that count them, not {images}")
        return replace(self, registers=(images - 1, *self.registers[1:]))

    def check(self, cfg: TileConfig, name: str = "program") -> None:
        """Refuse a program that a tile cannot hold.

        Raises InputError, naming what is too large.
        """
        for what, size, limit in (
            ("instructions", len(self.words), cfg.instructions), ("parameters", len(self.parameters), cfg.parameters),
            ("bytes of the buffer", len(self.buffer), cfg.buffer_bytes),
        ):
            if size > limit:
                raise InputError(f"{name}: the tile has {limit} {what}, not {size}")

    def pack(self) -> bytes:
        """The bytes of the file."""
        tables = self.tables.astype("<i2")
        sections = [
            (b"code", _words(self.words)), (b"desc", _words(self.descriptors)),
            (b"para", _trimmed(self.parameters.astype("<u8").tobytes(), 8)),
            *((f"tab{k}".encode(), table.tobytes() if table.any() else b"") for k, table in enumerate(tables)),
            (b"data", _trimmed(self.buffer, 1)), (b"regs", _trimmed(struct.pack("<3H", *self.registers), 2)),
            (b"imag", _trimmed(_words((self.image,)), 4)), (b"dkey", _trimmed(struct.pack("<Q", self.key), 8)),
        ]
        filled = [(tag, data) for tag, data in sections if data]
        text = _HEAD.pack(_MAGIC, _VERSION, len(filled))
        text += b"".join(_SECTION.pack(tag, len(data)) + data for tag, data in filled)
        return text + _SUM.pack(zlib.crc32(text))

    @classmethod
    def unpack(cls, text: bytes, name: str = "program") -> "Program":
        """The program of a file, called ``name`` in messages.

        Raises InputError if it is none, of another version, cut or altered.
        """
        sections = _sections(text, name)
        words = {tag: tuple(np.frombuffer(sections.get(tag, b""), "<u4").tolist())
                 for tag in (b"code", b"desc", b"imag")}
        tables = np.zeros((TABLES, TABLE_ENTRIES), np.int16)
        for k in range(TABLES):
            if data := sections.get(f"tab{k}".encode()):
                tables[k] = np.frombuffer(data, "<i2")
        registers = np.frombuffer(sections.get(b"regs", b"").ljust(2 * REGISTERS, b"\0"), "<u2")
        program = cls(
            words=words[b"code"], descriptors=words[b"desc"] or (0,) * DESCRIPTOR_WORDS, tables=tables,
            parameters=np.frombuffer(sections.get(b"para", b""), "<u8").astype(np.uint64),
            buffer=sections.get(b"data", b""), registers=tuple(registers.tolist()),
            image=words[b"imag"][0] if words[b"imag"] else 0, key=int.from_bytes(sections.get(b"dkey", b""), "little"),
        )
        program.check(LIMITS, name)
        if any(PARAMETER.spare((word & 0xFFFFFFFF, word >> 32)) for word in program.parameters.tolist()):
            raise InputError(f"{name}: bits of a parameter that belong to no field must be 0")
        if program.pack() != text:
            raise InputError(f"{name}: must be a program as mho writes it, and its sections are not in that form")
        return program


def _words(values: Sequence[int]) -> bytes:
    return np.asarray(values, dtype="<u4").tobytes()


def _trimmed(data: bytes, unit: int) -> bytes:
    """Without the zeros at the end, in whole units."""
    length = len(data.rstrip(b"\0"))
    return data[: -(-length // unit) * unit]


_UNITS = {b"code": 4, b"desc": 4, b"para": 8, b"tab0": 2, b"tab1": 2, b"data": 1, b"regs": 2, b"imag": 4, b"dkey": 8}
_WHOLE = {b"desc": 4 * DESCRIPTOR_WORDS, b"tab0": 2 * TABLE_ENTRIES, b"tab1": 2 * TABLE_ENTRIES}
_MOST = {b"regs": 2 * REGISTERS, b"imag": 4, b"dkey": 8}


def _sections(text: bytes, name: str) -> dict[bytes, bytes]:
    if len(text) < _HEAD.size + _SUM.size or text[:4] != _MAGIC:
        raise InputError(f"{name}: must be a program of a tile, which begins with {_MAGIC.decode()!r}")
    _, version, count = _HEAD.unpack_from(text)
    if version != _VERSION:
        raise InputError(f"{name}: must be a program of version {_VERSION}, not {version}")
    body = text[: -_SUM.size]
    if zlib.crc32(body) != _SUM.unpack(text[-_SUM.size :])[0]:
        raise InputError(f"{name}: its checksum is not that of its bytes; it was cut or altered")
    sections: dict[bytes, bytes] = {}
    at = _HEAD.size
    for _ in range(count):
        tag, length = _SECTION.unpack(body[at : at + _SECTION.size].ljust(_SECTION.size, b"\0"))
        data = body[at + _SECTION.size : at + _SECTION.size + length]
        at += _SECTION.size + length
        fits = tag in _UNITS and length % _UNITS[tag] == 0 and (tag not in _WHOLE or length == _WHOLE[tag])
        if not fits or len(data) != length or tag in sections or length > _MOST.get(tag, 1 << 20):
            raise InputError(f"{name}: section {tag.decode(errors='replace')!r} is unknown, doubled or of a wrong size")
        sections[tag] = data
    return sections
