"""The blocks of a design: which modules there are, what they are called, and where they are instances.

What Amaranth does not export (fragments, parts of modules) is taken from its inner modules here and in
:mod:`mho.rtl_gen.verilog.netlist`.
"""

import hashlib
import inspect
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any
from weakref import WeakKeyDictionary

from amaranth.hdl import ClockSignal, Const, Elaboratable, Instance, Module, ResetInserter, Signal, Value
from amaranth.hdl._ir import Fragment
from amaranth.hdl._xfrm import TransformedElaboratable
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

from mho.hw.block import NamedConstant, OwnReset, Resettable, is_block, reset_of, runs_by
from mho.hw.ports import Component
from mho.macro_models.errors import InputError, ToolError
from mho.rtl_gen.verilog.memories import MemoryPlatform
from mho.rtl_gen.verilog.names import identifier
from mho.rtl_gen.verilog.rtlil import NAMED_CONSTANT


@dataclass(frozen=True, eq=False)
class Block:
    """A module to write: the component that it was made of, and its logic, in which other blocks are instances.

    ``ports`` are the names of its ports in their order; ``clocked``: it has registers, so that the first two are the
    clock and the reset.
    """

    component: wiring.Component
    fragment: Any
    clocked: bool
    ports: tuple[str, ...]


_Ports = tuple[tuple[str, Value, wiring.Flow], ...]
_PORTS: "WeakKeyDictionary[wiring.Component, _Ports]" = WeakKeyDictionary()
"""Ports of components that are there: each is asked for at every use of its block."""


def ports_of(component: wiring.Component) -> _Ports:
    """Ports of a component, all that its signature has: name in Verilog, value, direction.

    Raises ToolError if a name says nothing, or is none in Verilog.
    """
    if component not in _PORTS:
        _PORTS[component] = tuple(_ports_of(component))
    return _PORTS[component]


def _ports_of(component: wiring.Component) -> Iterator[tuple[str, Value, wiring.Flow]]:
    names: set[str] = set()
    for path, member, value in component.signature.flatten(component):
        joined, value = "_".join(map(str, path)), Value.cast(value)
        if isinstance(value, Const) or not len(value):
            # It carries nothing.
            continue
        name, where = identifier(joined), type(component).__name__
        if re.fullmatch(r"(port|net|wire|signal|w)_?\d+", name):
            raise ToolError(f"{where}: a port must be named after what it carries, not {joined}")
        if name in names or name in ("clk", "rst", "rst_n") or name != re.sub("__+", "_", joined):
            raise ToolError(f"{where}: a port must have a name of its own that is no keyword of Verilog, not {joined}")
        names.add(name)
        yield name, value, member.flow


def port_names(component: wiring.Component) -> tuple[str, ...]:
    """Names of the ports of a component that is made for nothing else."""
    _use(component)
    return tuple(name for name, _, _ in ports_of(component))


def _use(component: Any) -> None:
    """Amaranth warns of a component that is never elaborated; this one and those that it was made with are of use."""
    for part in (component, *vars(component).values()):
        if isinstance(part, Elaboratable):
            part._MustUse__used = True  # pyright: ignore[reportAttributeAccessIssue]


def arguments(component: wiring.Component) -> dict[str, Any]:
    """What a component was made with: the arguments of its constructor, which it keeps under their names."""
    kind, by_name = type(component), {}
    if kind.__init__ is wiring.Component.__init__:
        return by_name
    if kind.__init__ in (Component.__init__, Resettable.__init__):
        cfg = getattr(component, "cfg", None)
        return by_name if cfg is None else {"cfg": cfg}
    for name in list(inspect.signature(kind.__init__).parameters)[1:]:
        where = next((where for where in (name, f"_{name}") if hasattr(component, where)), None)
        if where is None:
            raise ToolError(f"{kind.__name__} must keep its argument {name}, which tells its modules apart")
        by_name[name] = getattr(component, where)
    return by_name


class BlockPlatform(MemoryPlatform):
    """Platform of an elaboration for Verilog: memories are instances of wrappers, and blocks of modules.

    The first component of each kind and configuration is elaborated; its like are instances of the same module. What is
    no block of its own (a plain ``Module``, a part of Amaranth's library) becomes part of the block that holds it.

    Parameters
    ----------
    prefix
        Put before the name of every module.
    configs
        Those of the chip, which add nothing to the names of the blocks that they configure, or a
        ``verilog_word`` of theirs. A block of
        another configuration has eight digits of its hash in its name, wherever it is.
    reset
        Name of the port of the reset.
    gate
        Module of clock gates, for blocks of :func:`mho.hw.block.clock_by`; empty: their clocks always run.
    one_port
        Memories have one port where blocks know how, see :mod:`mho.hw.memory`.
    """

    def __init__(
        self, prefix: str, configs: Collection[object], reset: str, gate: str = "", one_port: bool = False
    ) -> None:
        super().__init__(prefix, one_port)
        self.configs, self.reset, self.gate = configs, reset, gate
        self._gates: dict[str, tuple[Signal, Instance]] = {}
        self.blocks: dict[str, Block] = {}
        self.conflict: Exception | None = None
        self._identities: dict[str, tuple[type, str]] = {}

    def module_name(self, component: wiring.Component) -> str:
        """Name of the module of a component: that of its class (or its ``verilog_name``) and what it was made with."""
        kind, hashed = type(component), {}
        words = [getattr(kind, "verilog_name", None) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()]
        for name, value in arguments(component).items():
            if isinstance(value, bool):
                words += [name] * value
            elif isinstance(value, (Enum, int, str)):
                words.append(value.name.lower() if isinstance(value, Enum) else str(value))
            elif any(type(value) is type(config) and value == config for config in self.configs):
                words += filter(None, [getattr(value, "verilog_word", "")])
            else:
                words += [f"no_{name}"] * (value is None)
                hashed |= {} if value is None else {name: value}
        if hashed:
            text = repr(hashed)
            if re.search(r" at 0x[0-9a-f]", text):
                raise ToolError(f"{kind.__name__}: {', '.join(hashed)} must have a text that tells their values apart")
            words.append(hashlib.sha256(text.encode()).hexdigest()[:8])
        return identifier(f"{self.prefix}{'_'.join(words)}")

    def add(self, component: Any, name: str) -> Instance | None:
        """Have a module for a component, unless there is one; if the component is an instance itself, return that."""
        identity = type(component), repr(arguments(component))
        _use(component)
        if name in self._identities:
            self._compare(name, identity)
            return None
        self._identities[name] = identity
        # The place of a block is before those that it holds.
        self.blocks[name] = Block(component, None, False, ())
        fragment = self._resolve(component.elaborate(self), None)
        if isinstance(fragment, Instance):
            del self.blocks[name], self._identities[name]
            return fragment
        _flatten(fragment)
        if more := sorted({*fragment.statements, *fragment.domains} - {"comb", "sync"}):
            raise ToolError(f"{type(component).__name__} must have the one clock domain sync, not {', '.join(more)}")
        ports = (value for part, _, _ in fragment.subfragments for value, _ in part.ports.values())
        clocked = "sync" in fragment.statements or any(isinstance(value, ClockSignal) for value in ports)
        listed = ("clk", self.reset) * clocked + tuple(port for port, _, _ in ports_of(component))
        self.blocks[name] = Block(component, fragment, clocked, listed)
        return None

    def _compare(self, name: str, identity: tuple[type, str]) -> None:
        """Note if two different blocks have one name."""
        top, first, second = next(iter(self._identities)), self._identities[name][0], identity[0]
        if self._identities[name] != identity and name == top:
            self.conflict = InputError(f"top must not be the name of an inner module, not {name!r}")
        elif self._identities[name] != identity:
            names = " and ".join(f"{kind.__module__}.{kind.__name__}" for kind in (first, second))
            self.conflict = ToolError(f"{names} are both {name}")

    def _instance(self, component: wiring.Component) -> Instance:
        name = self.module_name(component)
        if (instance := self.add(component, name)) is not None:
            return instance
        ports: dict[str, Any] = {}
        if self.blocks[name].clocked:
            ports |= {"i_clk": self._clock(component), f"i_{self.reset}": reset_of(component)}
        for port, value, flow in ports_of(component):
            ports[f"{'o' if flow is wiring.Out else 'i'}_{port}"] = value
        return Instance(name, **ports)

    def get_constant(self, constant: NamedConstant) -> Instance:
        """What stands for a constant with a name in the netlist: the writer has a ``localparam`` for it."""
        return Instance(NAMED_CONSTANT, p_VALUE=constant.value, o_o=constant.o)

    def _clock(self, component: wiring.Component) -> Any:
        """The clock of a block: gated, if it has a signal for that."""
        runs = runs_by(component)
        if runs is None or not self.gate:
            return ClockSignal()
        if runs.name not in self._gates:
            clock = Signal(name=f"{runs.name}_clk")
            instance = Instance(self.gate, i_clk=ClockSignal(), i_enable=runs, o_gated=clock)
            self._gates[runs.name] = clock, instance
        return self._gates[runs.name][0]

    def _resolve(self, part: Any, transform: Any) -> Any:
        """The fragment of a part; ``transform`` is what would not reach into the instances that it becomes."""
        while not isinstance(part, Fragment):
            part._MustUse__used = True
            if isinstance(part, TransformedElaboratable):
                outer = transform or next((t for t in part._transforms_ if not isinstance(t, OwnReset)), None)
                fragment = self._resolve(part._elaboratable_, outer)
                for inserted in part._transforms_:
                    fragment = inserted(fragment)
                return fragment
            if isinstance(part, Module):
                return self._module(part, transform)
            if transform is not None and (is_block(part) or _loses(part, transform)):
                raise ToolError(
                    f"{type(transform).__name__} around {type(part).__name__} is lost in Verilog, where that is a "
                    "module of its own: give it a port for it (mho.hw.block.Resettable)"
                )
            part = self._instance(part) if is_block(part) else part.elaborate(self)
        return part

    def _module(self, m: Any, transform: Any) -> Any:
        outer, self._gates = self._gates, {}
        for name, (part, src_loc) in m._named_submodules.items():
            m._named_submodules[name] = self._resolve(part, transform), src_loc
        m._anon_submodules[:] = [(self._resolve(part, transform), src_loc) for part, src_loc in m._anon_submodules]
        for name, (_, instance) in self._gates.items():
            m.submodules[f"{name}_gate"] = instance
        self._gates = outer
        return Fragment.get(m, self)


def _loses(part: object, transform: object) -> bool:
    """Whether a part that becomes the instance of a memory needs what a transformation would change in it."""
    return isinstance(part, Memory) and not isinstance(transform, ResetInserter)


def _flatten(fragment: Any) -> None:
    """Take what is no instance into the fragment itself."""
    instances = []
    for place, (part, name, src_loc) in enumerate(fragment.subfragments):
        name = name or f"part_{place}"
        if isinstance(part, Instance):
            instances.append((part, name, src_loc))
            continue
        _flatten(part)
        for domain, statements in part.statements.items():
            fragment.add_statements(domain, *statements)
        fragment.add_domains(part.domains.values())
        instances += [(inner, f"{name}_{inside}", where) for inner, inside, where in part.subfragments]
    fragment.subfragments[:] = instances
