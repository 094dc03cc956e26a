"""From a component to the Verilog of its modules, each written from its own signature alone."""

import ast
import gc
import inspect
import re
import sys
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.hdl import ClockDomain
from amaranth.hdl._ast import Format, SignalSet
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from mho.hw.block import Resettable, reset_name
from mho.macro_models.errors import ToolError
from mho.rtl_gen.templates import fill, template
from mho.rtl_gen.verilog.blocks import Block, BlockPlatform, arguments, ports_of
from mho.rtl_gen.verilog.memories import MemoryShape, tied_off, write_memory
from mho.rtl_gen.verilog.module.gating import CLOCK_GATE
from mho.rtl_gen.verilog.module.writer import Written, write_module
from mho.rtl_gen.verilog.reading import read_netlist
from mho.rtl_gen.verilog.source import layout_of, name_signals

_WIDTH = 100
_PORT = re.compile(r"(\w+)(?:: \w+)? = (ports\.)?(In|Out|array)\(")
_PLACES = {
    "mho.hw.core": "the core", "mho.hw.kinds": "the core", "mho.hw.macro": "the core, at the macro",
    "mho.hw.host": "the host's side of the core", "mho.hw.noc": "the network on chip", "mho.hw.tile": "a tile",
    "mho.hw.chip": "the top", "mho.hw.emulator": "the emulated macro",
}
"""Where blocks of a package are in a chip."""


def module_remarks(kind: type) -> list[str]:
    """Lines on a module: what it does, how long that takes, and where it is; without the ``//``."""
    paragraphs = _sections(kind)[""].split("\n\n")
    lines: list[str] = []
    for paragraph in paragraphs:
        if paragraph.strip() and not paragraph.lstrip().startswith(".."):
            lines += [*([""] if lines else []), *textwrap.wrap(_plain(paragraph), _WIDTH)]
    place = next((name for package, name in _PLACES.items() if f"{kind.__module__}.".startswith(f"{package}.")), "")
    return [*lines, f"Part of {place}."] if place and lines else lines


def port_remarks(kind: type, ports: Iterable[str]) -> dict[str, str]:
    """What ports carry, where their component says so: by port, the first of those that share a text.

    A member that is a bundle (``o`` of ``o_payload`` and ``o_valid``) speaks for all its ports.
    """
    listed = list(ports)
    remarks: dict[str, str] = {}
    for names, text in _members(kind):
        carried = [port for name in names for port in listed if port == name or port.startswith(f"{name}_")]
        first = next((port for port in listed if port in carried and port not in remarks), None)
        if first is not None and text:
            remarks[first] = text
    return remarks


def _sections(kind: type) -> dict[str, str]:
    """Text before the first heading (under no name) and under each heading."""
    doc = inspect.cleandoc(vars(kind).get("__doc__") or "")
    parts = re.split(r"^(\w[\w ]*)\n-{3,}\n", doc, flags=re.MULTILINE)
    return {"": parts[0]} | dict(zip(parts[1::2], parts[2::2], strict=True))


def _members(kind: type) -> list[tuple[list[str], str]]:
    """Names and texts of the members: below ports and in lists of docstrings, its own and those of its bases."""
    members: list[tuple[list[str], str]] = []
    for base in (base for base in kind.__mro__ if base.__module__ != Resettable.__module__):
        for line in _sections(base).get("Members", "").splitlines():
            if head := re.match(r"([\w, ]+?) : ", line):
                members.append(([name.strip() for name in head[1].split(",")], ""))
            elif members and line[:1].isspace():
                names, text = members[-1]
                members[-1] = names, f"{text} {_plain(line)}".strip()
        members += _texts_below(getattr(sys.modules[base.__module__], "__file__", None)).get(base.__qualname__, [])
    return members


@cache
def _texts_below(file: str | None) -> dict[str, list[tuple[list[str], str]]]:
    """Texts below ports by the class that declares them, each with the ports that stand above it."""
    tree = ast.parse("" if file is None else Path(file).read_text(encoding="utf-8"))
    texts: dict[str, list[tuple[list[str], str]]] = {}
    for kind in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        names, end = list[str](), 0
        for node in kind.body:
            names = names if node.lineno == end + 1 else []  # a blank line is between ports that share no text
            end = node.end_lineno or 0
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and (port := _PORT.match(ast.unparse(node))):
                names.append(port[1])
                continue
            if names and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                texts.setdefault(kind.name, []).append((names, _plain(str(node.value.value))))
            names = []
    return texts


def _plain(text: str) -> str:
    """Words without markup."""
    text = re.sub(r":\w+:`~?([^`]*)`", lambda m: m[1].rpartition(".")[2], text)
    return " ".join(text.replace("``", "").replace("`", "").split())


PERMISSION = "programming_permission"
"""Name of the module of :class:`ProgrammingPermission` without the prefix: the one module with
registers that a pin clears."""


def emit(
    component: wiring.Component, *, name: str, prefix: str, reset_low: bool, configs: Collection[object] | None = None,
    clock_gates: bool = False, test_ports: bool = False, one_port: bool = False,
) -> dict[str, str]:
    """Verilog of a component and of every block in it: text by module name, the top first.

    A module has all ports of its component's signature and, if it has registers, ``clk`` and ``rst``. Its name and its
    text depend on its component's class, what that was made with, ``configs``, ``prefix`` and ``reset_low`` alone.

    Raises InputError if the name of the top is that of an inner module. Raises ToolError if the design holds something
    that cannot be written as Verilog here, or that would be lost in it.

    Parameters
    ----------
    name
        Name of the top module.
    prefix
        Put before the name of every other module.
    reset_low
        Asynchronous, active-low reset ``rst_n`` instead of the synchronous ``rst``.
    configs
        Configurations that add nothing to the names of modules, see :class:`BlockPlatform`: those of a chip. By default
        what the component itself was made with.

    clock_gates
        Registers that keep their value unless a condition holds have gated clocks, of the module ``clock_gate``, and so
        have the blocks of :func:`mho.hw.block.clock_by`.
    test_ports
        Memories have a port for a self-test, which is tied off.
    one_port
        Memories have one port where blocks know how, see :mod:`mho.hw.memory`.
    """
    gate = f"{prefix}{CLOCK_GATE}" if clock_gates else ""
    with _uncollected():
        reset = "rst_n" if reset_low else "rst"
        platform = _elaborated(component, name, prefix, reset, configs, gate, one_port)
        owners = _Signals(platform.blocks)
        style = (reset_low, gate, one_port)
        written = {name: _written(name, platform.blocks, style, owners) for name in platform.blocks}
        owners.check(reset_low)
        _kept.update(written.values())
        texts = {name: text for name, (_, text) in written.items()}
    if clock_gates:
        texts[gate] = fill(template("clock_gate.v"), {"NAME": gate})
    permission = f"{prefix}{PERMISSION}"
    if any(f"\n  {permission} " in text for text in texts.values()):
        texts[permission] = fill(template("programming_permission.v"), {"NAME": permission})
    memories = _memories(platform)
    if test_ports:
        texts = tied_off(texts, memories)
    return texts | {name: write_memory(shape, prefix, test=test_ports) for name, shape in memories.items()}


@dataclass(frozen=True)
class Netlists:
    """The netlists that the Verilog of a component was written from: what a proof compares it with."""

    blocks: Mapping[str, tuple[str, Written]]
    """RTLIL of each block as Amaranth gives it, and what was written, by the name of the module."""
    memories: Mapping[str, MemoryShape]
    """Shapes of memories by the names of their wrappers."""


def netlists(
    component: wiring.Component, *, name: str, prefix: str, configs: Collection[object] | None = None,
    clock_gates: bool = False,
) -> Netlists:
    """Netlists of a component that has a synchronous reset, of registers without gates; parameters as of :func:`emit`.

    ``clock_gates``: blocks of :func:`mho.hw.block.clock_by` have theirs.
    """
    gate = f"{prefix}{CLOCK_GATE}" if clock_gates else ""
    with _uncollected():
        platform = _elaborated(component, name, prefix, "rst", configs, gate)
        owners = _Signals(platform.blocks)
        pairs = {name: _write(name, platform.blocks, False, "", owners) for name in platform.blocks}
        blocks = {
            name: (rtlil.convert_fragment(design, name=name, emit_src=False)[0], written)
            for name, (design, written) in pairs.items()
        }
    return Netlists(blocks, _memories(platform))


def _elaborated(
    component: wiring.Component, name: str, prefix: str, reset: str, configs: Collection[object] | None, gate: str = "",
    one_port: bool = False,
) -> BlockPlatform:
    configs = list(arguments(component).values()) if configs is None else configs
    platform = BlockPlatform(prefix, configs, reset, gate, one_port)
    platform.add(component, name)
    if platform.conflict is not None:
        raise platform.conflict
    return platform


def _memories(platform: BlockPlatform) -> dict[str, MemoryShape]:
    return {f"{platform.prefix}{shape.suffix}": shape for shape in sorted(platform.shapes)}


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collection of garbage: there is next to none in a netlist, and looking for it costs a third."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


_kept: dict[object, str] = {}
"""Texts of modules by all that they depend on: several chips of one process have most of them in common."""
KEPT = 2000
"""Texts that are kept, of some 10 kB each."""


def _written(
    name: str, blocks: Mapping[str, Block], style: tuple[bool, str, int], owners: "_Signals"
) -> tuple[object, str]:
    """What the text of a module depends on, and the text; ``style``: reset, gates, memories as of :func:`emit`."""
    block = blocks[name]
    types = [part.type for part, _, _ in block.fragment.subfragments]
    inner = tuple((kind, blocks[kind].ports if kind in blocks else ()) for kind in types)
    identity = type(block.component), repr(arguments(block.component))
    key = (name, *identity, block.clocked, block.ports, inner, *style)
    if len(_kept) > KEPT:
        _kept.clear()
    return key, _kept.get(key) or _write(name, blocks, *style[:2], owners)[1].text


class _Signals:
    """Whose signals are whose: a block may use what it drives and its ports."""

    def __init__(self, blocks: Mapping[str, Block]) -> None:
        self._blocks = blocks
        self._owned: dict[str, SignalSet] = {}
        self._foreign: dict[str, SignalSet] = {}

    def add(self, name: str, fragment: Any, ports: SignalSet) -> None:
        """Note the block of a name and the signals of its ports."""
        owned, used = SignalSet(ports), SignalSet()
        for statement in (statement for statements in fragment.statements.values() for statement in statements):
            owned.update(statement._lhs_signals())
            used.update(statement._rhs_signals())
        for part, _, _ in fragment.subfragments:
            for value, kind in part.ports.values():
                if kind == "o":
                    owned.update(value._lhs_signals())
                elif part.type not in self._blocks:
                    # An input of a block is its own signal, whether something drives it or not.
                    used.update(value._rhs_signals())
        self._owned[name] = owned
        self._foreign[name] = SignalSet(signal for signal in used if len(signal) and signal not in owned)

    def check(self, reset_low: bool) -> None:
        """Refuse a block that uses a signal of another one: it would be constant there."""
        if any(self._foreign.values()):
            for name in self._blocks.keys() - self._owned.keys():
                design, inside, _ = _designed(name, self._blocks[name], reset_low)
                self.add(name, design.fragment, inside)
        for user, foreign in self._foreign.items():
            for signal in foreign:
                owner = next((name for name, owned in self._owned.items() if signal in owned), None)
                if owner is not None:
                    raise ToolError(f"{user} uses the signal {signal.name} of {owner}, which must come through a port")


def _designed(name: str, block: Block, reset_low: bool) -> tuple[Any, SignalSet, dict[str, Any]]:
    """The logic of a block with its ports, the signals that are its own, and the ports."""
    ports: dict[str, Any] = {
        port: (value, PortDirection.Input if flow is wiring.In else PortDirection.Output)
        for port, value, flow in ports_of(block.component)
    }
    owned = SignalSet(value for value, _ in ports.values())
    if block.clocked:
        domain: Any = ClockDomain("sync", async_reset=reset_low)
        block.fragment.add_domains(domain)
        owned.update([domain.clk, domain.rst])
        ports = {"clk": (domain.clk, PortDirection.Input), "rst": (domain.rst, PortDirection.Input), **ports}
    design = block.fragment.prepare(ports=ports, hierarchy=(name,))
    for information in design.fragments.values():
        name_signals(information.signal_names, information.assigned_names)
    return design, owned, ports


def _write(
    name: str, blocks: Mapping[str, Block], reset_low: bool, clock_gate: str, owners: _Signals
) -> tuple[Any, Written]:
    """The design of a block, as Amaranth has it, and its Verilog."""
    block = blocks[name]
    design, owned, ports = _designed(name, block, reset_low)
    owners.add(name, design.fragment, owned)
    module, signals = read_netlist(design, name)
    for cell in module.cells:
        if (inner := blocks.get(cell.type.removeprefix("\\"))) is not None:
            cell.ports = {port: cell.ports[port] for port in inner.ports}
    names = dict(zip((f"\\{port}" for port in ports), block.ports, strict=True))
    states = {wire: named for wire, signal in signals.items() if (named := _state_names(signal))}
    signals |= {f"\\{port}": value for port, (value, _) in ports.items()}
    resets = {wire: reset for wire, signal in signals.items() if (reset := reset_name(signal))}
    layouts = {wire: layout for wire, signal in signals.items() if (layout := layout_of(signal))}
    kind = type(block.component)
    return design, write_module(
        module, name, ports=names, states=states, resets=resets, layouts=layouts, reset_low=reset_low,
        clock_gate=clock_gate,
        remarks=module_remarks(kind), port_remarks=port_remarks(kind, names.values()),
    )


def _state_names(signal: object) -> dict[int, str]:
    """States of a machine, or values of an enumeration, by their encoding; empty for any other signal."""
    decoder, size = getattr(signal, "decoder", None), len(signal)  # pyright: ignore[reportArgumentType]
    names: dict[int, str] = {}
    if callable(decoder) and size <= 8:
        for value in range(2**size):
            try:
                names[value] = str(decoder(value)).rpartition("/")[0] or str(decoder(value))
            except (KeyError, ValueError):
                continue
    elif isinstance(format := getattr(signal, "_format", None), Format.Enum):
        variants: dict[int, str] = format._variants  # pyright: ignore[reportAttributeAccessIssue]
        names = {value: name for value, name in variants.items() if 0 <= value < 2**size}
    return names
