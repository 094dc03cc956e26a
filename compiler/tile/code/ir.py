"""A tile's program as objects: what it declares, and its instructions, which call that by names until it has places."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mho.hw.tile.isa import DESCRIPTORS, Op
from mho.macro_models.types import Integral

Fields = tuple[tuple[str, int | str], ...]


@dataclass(frozen=True)
class Descriptor:
    """A stream, walk, product or vector operation; a field with a string is the place of what has that name.

    Among instructions it is written, at the place of its name.
    """

    kind: str
    name: str
    fields: Fields


@dataclass(frozen=True, eq=False)
class Data:
    """Parameters (rows of m, c, d, target, valid, start), bytes of the buffer, or the entries of a table."""

    kind: str
    name: str
    content: Integral


@dataclass(frozen=True)
class Instruction:
    """An instruction: the descriptors that it names, in the order of :data:`NAMED`, and its fields and flags."""

    op: Op
    names: tuple[str, ...] = ()
    fields: tuple[tuple[str, int], ...] = ()

    def with_flags(self, *flags: str) -> "Instruction":
        """The same with more flags."""
        return replace(self, fields=(*self.fields, *((flag, 1) for flag in flags)))


@dataclass(frozen=True)
class Repeat:
    """A loop: ``times``; with 0 as often as host ``register`` says, for ever with register 0."""

    body: "tuple[Code, ...]"
    times: int = 0
    register: int = 0


Code = Instruction | Descriptor | Repeat

NAMED: Mapping[Op, tuple[str, ...]] = {
    Op.MVM: ("mvm", "walk"), Op.VEC: ("vec",),
    **dict.fromkeys((Op.SEND, Op.WAIT, Op.ROOM, Op.FREE, Op.PUSH), ("stream",)),
}
"""Kinds of what each instruction names, which are its fields as well."""


def vec(name: str, *flags: str) -> Instruction:
    """A vector operation."""
    return Instruction(Op.VEC, (name,)).with_flags(*flags)


def mvm(name: str, walk: str, *flags: str) -> Instruction:
    """A product."""
    return Instruction(Op.MVM, (name, walk)).with_flags(*flags)


def send(stream: str, flow: int, *flags: str, blocks: int = 1) -> Instruction:
    """Blocks to a flow; with the flag ``reduce`` to a context."""
    return Instruction(Op.SEND, (stream,), (("flow", flow), ("n", blocks))).with_flags(*flags)


def counted(op: Op, stream: str, blocks: int = 1) -> Instruction:
    """An instruction on so many blocks of a stream."""
    return Instruction(op, (stream,), (("n", blocks),))


@dataclass(frozen=True, kw_only=True)
class TileSource:
    """All of a tile's program; data and descriptors by their kind, ``image`` is the number of the first image."""

    tile: str
    descriptors: Mapping[str, tuple[Descriptor, ...]]
    data: Mapping[str, tuple[Data, ...]]
    code: tuple[Code, ...]
    image: int = 0

    @property
    def words(self) -> int:
        """Words of all instructions."""
        return sum(map(_words, self.code))


def _words(code: Code) -> int:
    if isinstance(code, Repeat):
        return 1 + sum(map(_words, code.body))
    return 1 + (DESCRIPTORS[code.kind].layout.words if isinstance(code, Descriptor) else 0)
