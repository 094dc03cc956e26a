"""Blocks: components that are modules of their own in Verilog, and how they are reset from within the design."""

from collections.abc import Mapping
from typing import Any, TypeVar

from amaranth.hdl import Const, Elaboratable, Module, ResetInserter, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

from mho.hw.ports import Component

_Config = TypeVar("_Config")


class NamedConstant(Elaboratable):
    """A constant that has a name where a person reads it: a ``localparam`` of the module in Verilog.

    Attributes
    ----------
    o
        The constant. What only a tool reads (Amaranth's simulator, a proof) sees a signal that never changes.
    """

    def __init__(self, name: str, value: int, width: int) -> None:
        self.value = Const(value, width)
        self.o = Signal(width, name=name)

    def elaborate(self, platform: Any) -> Any:
        if hasattr(platform, "get_constant"):
            return platform.get_constant(self)
        m = Module()
        m.d.comb += self.o.eq(self.value)
        return m


def named(m: Module, name: str, value: int, width: int) -> Signal:
    """A constant of ``width`` bits in a module, by a name in capitals (see :class:`NamedConstant`)."""
    part = NamedConstant(name, value, width)
    m.submodules += part
    return part.o


def reset_name(signal: Signal, name: str | None = None) -> str:
    """The name, in capitals, of the value of a register after reset, or an empty string; ``name`` gives it one."""
    if name is not None:
        signal.attrs["reset_name"] = name
    return signal.attrs.get("reset_name", "")


def is_block(part: object) -> bool:
    """Whether a part of a design is a module of its own in Verilog: components are, but for those of Amaranth."""
    own = not type(part).__module__.startswith("amaranth.") and not isinstance(part, Memory)
    return own and isinstance(part, wiring.Component)


def clock_by(runs: Signal, *parts: Any) -> None:
    """Have one gate for the clock of these blocks of a module, open in the cycles whose ``runs`` is 1.

    Verilog with gates of clocks has it; in Amaranth's simulator, and in Verilog without them, the clock always runs. So
    ``runs`` may only be 0 where nobody can tell the difference.
    """
    for part in parts:
        part._runs = runs


def runs_by(part: object) -> Signal | None:
    """The signal of :func:`clock_by` of a block, if it has one."""
    return getattr(part, "_runs", None)


def may_be_late(platform: object) -> bool:
    """Whether a reset may pass flip-flops: an asynchronous one is its pin alone, so that no scan chain starts it."""
    return getattr(platform, "reset", "rst") == "rst"


def reset_late(m: Module, name: str, before: Value, *parts: Any) -> Signal:
    """Have these blocks of a module reset a cycle behind a reset, by a flip-flop of this name.

    Verilog has it; in Amaranth's simulator the reset of the domain resets them.
    """
    reset = Signal(name=name, init=1, reset_less=True)
    m.d.sync += reset.eq(before)
    for part in parts:
        part._reset = reset
    return reset


def reset_of(part: object) -> Any:
    """The signal of :func:`reset_late` of a block, or the reset of its domain."""
    return getattr(part, "_reset", ResetSignal())


class OwnReset(ResetInserter):
    """Resets what a module holds itself. Its blocks are left out: they have ports for that."""

    def map_subfragments(self, fragment: Any, new_fragment: Any) -> None:
        for part, name, src_loc in fragment.subfragments:
            inner = part if any(map(is_block, part.origins or ())) else self.on_fragment(part)
            new_fragment.add_subfragment(inner, name, src_loc=src_loc)


class Resettable(Component[_Config]):
    """A block with a synchronous reset beside that of its clock domain, which its parent drives through a port.

    A ``ResetInserter`` around a block does not reach into its module, and is refused where Verilog is written. A block
    that is reset from within the design is one of these instead: ``elaborate`` returns ``self.resets(m)``, which resets
    the registers of ``m`` and, through their ports, every part of it that is one of these.

    Parameters
    ----------
    cfg, members, behind
        As of :class:`mho.hw.ports.Component`.

    Members
    -------
    soft_reset : In(1)
        Every register that has a reset takes its initial value at the next clock edge.
    """

    soft_reset: Signal

    def __init__(
        self, cfg: _Config = None, members: Mapping[str, Any] = {}, behind: Mapping[str, Any] = {}
    ) -> None:
        super().__init__(cfg, {"soft_reset": wiring.In(1), **members}, behind)

    def resets(self, m: Module) -> Any:
        """``m``, reset by ``soft_reset``."""
        inner: Any = m
        parts = (*inner._named_submodules.values(), *inner._anon_submodules)
        m.d.comb += [part.soft_reset.eq(self.soft_reset) for part, _ in parts if isinstance(part, Resettable)]
        return OwnReset(self.soft_reset)(m)
