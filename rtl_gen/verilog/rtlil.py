"""The netlist of a module: wires, operators, flip-flops, processes and instances, called as in RTLIL."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

NAMED_CONSTANT = "named_constant"
"""Kind of the instance that is a constant with a name (see :class:`mho.hw.block.NamedConstant`)."""


@dataclass(frozen=True)
class Const:
    """Constant bits, most significant first."""

    bits: str


@dataclass(frozen=True)
class Slice:
    """Bits ``high`` down to ``low`` of a wire."""

    wire: str
    high: int
    low: int


Sig = tuple[Const | Slice, ...]
"""Bits in order, most significant part first."""


@dataclass(frozen=True)
class Wire:
    """A net. ``port`` is ``input``, ``output``, or empty."""

    name: str
    width: int
    port: str = ""


@dataclass
class Cell:
    """An operator, a flip-flop or an instance.

    ``outputs`` names the ports whose net this cell drives; ``source`` is the file and the line that it is made of.
    """

    type: str
    name: str
    parameters: "dict[str, int | str | Const]" = field(default_factory=dict)
    ports: dict[str, Sig] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)
    source: tuple[str, int] | None = None

    def number(self, parameter: str, default: int = 0) -> int:
        """A parameter that is a number; ``default`` where there is none."""
        value = self.parameters.get(parameter, default)
        assert isinstance(value, int)
        return value

    def bits(self, parameter: str) -> str:
        """Bits of a parameter that is a constant."""
        value = self.parameters[parameter]
        assert isinstance(value, Const)
        return value.bits


@dataclass(frozen=True)
class Assign:
    """Bits of the process's target take a value."""

    target: Slice
    value: Sig


@dataclass
class Case:
    """One branch of a switch; no patterns: the default. A pattern has ``-`` where any bit matches."""

    patterns: tuple[str, ...]
    body: "list[Statement]"


@dataclass
class Switch:
    """The first case that matches ``test`` runs."""

    test: Sig
    cases: list[Case]


Statement = Assign | Switch


@dataclass
class Process:
    """Statements that give ``target`` its value; later assignments win. ``source`` is as of a :class:`Cell`."""

    body: list[Statement]
    source: tuple[str, int] | None = None

    @property
    def target(self) -> str:
        """Name of the one wire that the process drives (Amaranth writes one process a signal)."""
        first = self.body[0]
        assert isinstance(first, Assign)
        return first.target.wire


@dataclass
class Module:
    """One module of the netlist; wires in the order of their declaration."""

    name: str
    wires: dict[str, Wire] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    connects: list[tuple[Slice, Sig]] = field(default_factory=list)


def width(sig: Sig) -> int:
    """Bits of a signal."""
    bits = 0
    for chunk in sig:
        bits += len(chunk.bits) if isinstance(chunk, Const) else chunk.high - chunk.low + 1
    return bits


def whole(wire: Wire) -> Slice:
    """All bits of a wire."""
    return Slice(wire.name, wire.width - 1, 0)


def slices(sigs: Iterable[Sig]) -> Iterator[Slice]:
    """All chunks of signals that are of wires."""
    return (chunk for sig in sigs for chunk in sig if isinstance(chunk, Slice))
