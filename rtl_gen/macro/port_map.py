"""A macro's ports and what they are connected to, bit by bit: what :mod:`.resolve` finds."""

from dataclasses import dataclass, field

from mho.rtl_gen.verilog.ports import Port


@dataclass(frozen=True)
class Bit:
    """A bit of a signal or of a pin by its number; without a source, a constant."""

    source: str
    index: int
    inverted: bool = False


@dataclass(kw_only=True)
class PortMap:
    """A macro's ports and what they are connected to."""

    ports: dict[str, Port]
    """Its ports in their order, those of supplies left out."""
    read: bool
    """Whether they were read from its files; else they are what the map needs."""
    drivers: dict[str, dict[int, Bit]] = field(default_factory=dict)
    """Of each bit of an input: what drives it."""
    reads: dict[str, list[Bit]] = field(default_factory=dict)
    """Of each signal that the macro drives: its bits, the lowest first."""
    derived: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    """Signals of the adapter that stand for one of the contract: name to that signal, function and width."""
    lossy: dict[str, list[int]] = field(default_factory=dict)
    unconnected: list[str] = field(default_factory=list)
    """Bits of signals that reach no pin although others do; signals of which none does."""
    extra: dict[str, str] = field(default_factory=dict)
    """Pin to port of the top."""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What does not fit, and what may not be meant, one sentence each."""
