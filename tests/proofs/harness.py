"""A component with free inputs, assumptions and claims, and its state in plain sight.

What Amaranth does not export (free values, fragments) is taken from its inner modules here and nowhere else.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.hdl import Array, Assert, Assume, Cat, ClockDomain, Cover, Elaboratable, Module, Mux, Signal, Value
from amaranth.hdl._ast import AnyConst, AnySeq
from amaranth.hdl._ir import Fragment
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

from mho.hw.memory import OnePortMemory

__all__ = ["Harness", "State", "assume", "claim", "constant", "convert", "convert_cases", "drive_freely", "free",
           "witness"]


class State(Mapping[str, Signal]):
    """Flip-flops of an elaborated component by their path, such as ``queue.count``, and the components in it."""

    def __init__(self, fragment: Any) -> None:
        self._signals = dict(_registers(fragment, ""))
        self._parts = {".".join(path): part for path, part in _components_of(fragment, ())}

    def part(self, path: str) -> Any:
        """The component at a path."""
        return self._parts[path]

    def below(self, path: str) -> "State":
        """What is in the component at a path."""
        inner = State.__new__(State)
        for name in ("_signals", "_parts"):
            inside = {k.removeprefix(f"{path}."): v for k, v in getattr(self, name).items() if k.startswith(f"{path}.")}
            setattr(inner, name, inside)
        return inner

    def __getitem__(self, path: str) -> Signal:
        return self._signals[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._signals)

    def __len__(self) -> int:
        return len(self._signals)

    def words(self, path: str) -> list[Signal]:
        """Words of the memory at a path."""
        return [self[f"{path}.word_{k}"] for k in range(sum(name.startswith(f"{path}.word_") for name in self))]

    def at(self, name: str, path: str = "fsm_state") -> Value:
        """Whether the state machine at a path is in a state."""
        signal: Any = self[path]
        (number,) = [n for n in range(1 << len(signal)) if _state_name(signal, n) == name]
        return signal == number

    def names(self, path: str = "fsm_state") -> list[str]:
        """States of the state machine at a path."""
        signal: Any = self[path]
        return [name for n in range(1 << len(signal)) if (name := _state_name(signal, n))]


def _state_name(signal: Any, number: int) -> str:
    """Name of a state of a state machine, empty if there is none of this number."""
    try:
        return signal.decoder(number).rpartition("/")[0]
    except KeyError:
        return ""


def _registers(fragment: Any, prefix: str) -> Iterator[tuple[str, Signal]]:
    for statement in fragment.statements.get("sync", ()):
        for signal in statement._lhs_signals():
            yield f"{prefix}{signal.name}", signal
    for inner, name, _ in fragment.subfragments:
        yield from _registers(inner, f"{prefix}{name}.")


def _components_of(fragment: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], wiring.Component]]:
    """The components that a design was made of, by path."""
    for origin in fragment.origins or ():
        if isinstance(origin, wiring.Component):
            yield path, origin
            break
    for inner, name, _ in fragment.subfragments:
        if name is not None:
            yield from _components_of(inner, (*path, name))


class _Platform:
    """Memories become flip-flops, so that claims can speak of their words.

    Parameters
    ----------
    row
        The only row of memories that is kept, if it is given; what is read of others is any value.
    free
        Whatever is read of memories is any value, at any time.
    one_port
        The process has memories of one port: that none is written and read in one cycle is claimed.
    """

    def __init__(self, row: Value | None = None, *, free: bool = False, one_port: bool = False) -> None:
        self.row, self.free, self.one_port = row, free, one_port

    def get_memory(self, memory: Memory) -> Module:
        m = Module()
        if isinstance(memory, OnePortMemory):
            (read,), (write,) = memory.read_ports, memory.write_ports
            claim(m, "a memory of one port is not written and read in one cycle", ~(read.en & write.en.any()))
        width = len(Value.cast(memory.read_ports[0].data))
        words = Array(Signal(width, name=f"word_{k}") for k in range(1 if self.row is not None else memory.depth))
        for write in memory.write_ports:
            word: Any = words[0 if self.row is not None else write.addr]
            part = width // len(write.en)
            for k, enable in enumerate(write.en):
                with m.If(enable if self.row is None else enable & (write.addr == self.row)):
                    m.d.sync += word[k * part : (k + 1) * part].eq(
                        Value.cast(write.data)[k * part : (k + 1) * part])
        for read in memory.read_ports:
            if self.free:
                drive_freely(m, read.data)
                continue
            value = words[read.addr]
            if self.row is not None:
                other_word = Signal(width, name="other")
                drive_freely(m, other_word)
                value = Mux(read.addr == self.row, words[0], other_word)
            if read.domain == "comb":
                m.d.comb += Value.cast(read.data).eq(value)
            else:
                with m.If(read.en):
                    m.d.sync += Value.cast(read.data).eq(value)
        return m


class Harness(Elaboratable):
    """A component and what is claimed of it.

    Parameters
    ----------
    dut
        The component. Its inputs are driven by :meth:`specify`.
    row
        The only row of its memories that is kept, driven by :meth:`specify`, if there are claims of one row alone: it
        is ``word_0``, and what is read of other rows is any value.
    forgetful
        What its memories give is any value, at any time.
    one_port
        Made for a process whose memories have one port.

    Attributes
    ----------
    case
        Look only at cycles behind one in which the component's state machine was in the state of this name; in none
        that has a name, if it is empty.
    """

    case: str | None = None

    def __init__(
        self, dut: Any, row: Value | None = None, *, forgetful: bool = False, one_port: bool = False
    ) -> None:
        self.dut, self.row, self.forgetful, self.one_port = dut, row, forgetful, one_port
        self.clock = ClockDomain("sync", reset_less=True)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Proofs begin at power-on; a reset in the middle adds nothing but time.
        m.domains.sync = self.clock
        fragment = self._fragment()
        m.submodules.dut = fragment
        state = State(fragment)
        self.specify(m, state)
        if self.case is not None:
            was = Signal(name="was_case")
            m.d.sync += was.eq(state.at(self.case) if self.case else ~Cat(map(state.at, state.names())).any())
            assume(m, was)
        return m

    def _fragment(self) -> Any:
        return Fragment.get(self.dut, _Platform(self.row, free=self.forgetful, one_port=self.one_port))

    def cases(self) -> list[str]:
        """All that :attr:`case` may be: each state of the component's state machine, and none of them."""
        return [*State(self._fragment()).names(), ""]

    def specify(self, m: Module, state: State) -> None:
        """Drive the inputs, assume, and claim."""
        raise NotImplementedError


def convert(harness: Harness) -> str:
    """RTLIL of a harness; the top module is ``top``, and claims have their sentence for a name."""
    clock: Any = harness.clock
    text = rtlil.convert(harness, name="top", ports=[clock.clk], emit_src=False)
    return re.sub(r'cell \$check (\$\d+)\n    parameter \\FORMAT "([^"]+)"', _named, text)


def convert_cases(harness: Harness) -> list[str]:
    """RTLIL of a harness for each of its cases, as :func:`tests.proofs.solver.solve` takes them."""
    texts = []
    for case in harness.cases():
        harness.case = case
        texts.append(convert(harness))
    harness.case = None
    return texts


def _named(match: re.Match[str]) -> str:
    # Solvers name the cell that fails; names have no spaces.
    return f'cell $check \\{match[2].replace(" ", "_")}{match[1]}\n    parameter \\FORMAT ""'


def constant(m: Module, shape: Any, name: str) -> Any:
    """Any value that does not change."""
    signal = Signal(shape, name=name)
    m.d.comb += Value.cast(signal).eq(AnyConst(len(Value.cast(signal))))
    return signal


def free(m: Module, shape: Any, name: str) -> Any:
    """Any value in every cycle."""
    signal = Signal(shape, name=name)
    drive_freely(m, signal)
    return signal


def drive_freely(m: Module, *targets: Any) -> None:
    """Give targets any value in every cycle."""
    for target in targets:
        m.d.comb += Value.cast(target).eq(AnySeq(len(Value.cast(target))))


def claim(m: Module, what: str, holds: Any) -> None:
    """Claim that a condition holds in every cycle; within ``m.If``, in those that it lets through."""
    m.d.comb += Assert(holds, what)


def assume(m: Module, holds: Any) -> None:
    """Look only at runs in which a condition always holds."""
    m.d.comb += Assume(holds, "")


def witness(m: Module, what: str, holds: Any) -> None:
    """Ask for a run in which a condition holds at some time: claims about what never occurs are worth nothing."""
    m.d.comb += Cover(holds, what)
