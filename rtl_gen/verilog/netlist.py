"""From a component to a netlist of modules with names."""

import gc
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.hdl import ClockDomain, Signal, Value
from amaranth.hdl._ir import Fragment, PortDirection
from amaranth.lib import wiring

from macro_models.errors import InputError
from rtl_gen.verilog.memories import MemoryPlatform, write_memory
from rtl_gen.verilog.names import identifier
from rtl_gen.verilog.rtlil import Module, parse
from rtl_gen.verilog.writer import port_names, write_module

__all__ = ["components_of", "emit"]


@dataclass(frozen=True)
class _Netlist:
    modules: list[Module]
    states: Mapping[str, Mapping[str, Mapping[int, str]]]
    comments: Mapping[str, str]
    ports: Mapping[str, Mapping[str, str]]

    def joined(self, other: "_Netlist") -> "_Netlist":
        """Both, this one's modules first."""
        return _Netlist(
            [*self.modules, *other.modules], {**self.states, **other.states}, {**self.comments, **other.comments},
            {**self.ports, **other.ports},
        )


def emit(component: wiring.Component, top: str, *, prefix: str, name: str, reset_low: bool) -> dict[str, str]:
    """Verilog of a component: text by module name, the top first.

    Parameters
    ----------
    top
        Path of the component in the design, which names its module: ``{prefix}{top}``.
    prefix
        Put before the name of every module but the top.
    name
        Name of the top module.
    reset_low
        Asynchronous, active-low reset ``rst_n`` instead of the synchronous ``rst``.

    Raises
    ------
    InputError
        If the name of the top is that of an inner module.
    ToolError
        If the design holds something that cannot be written as Verilog here.
    """
    with _uncollected():
        return _emit(component, top, prefix, name, reset_low)


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


def _emit(component: wiring.Component, top: str, prefix: str, name: str, reset_low: bool) -> dict[str, str]:
    platform = MemoryPlatform(prefix)
    netlist = _elaborate(component, top, platform, reset_low)
    done: set[str] = set()
    while names := platform.shared.keys() - done:
        # A shared component may hold others.
        for shared in sorted(names):
            netlist = netlist.joined(_elaborate(platform.shared[shared], shared, platform, reset_low))
            done.add(shared)
    ports = {
        module.name: port_names(module, netlist.ports.get(module.name, {}), reset_low=reset_low)
        for module in netlist.modules
    }
    types = _module_types(netlist.modules, prefix)
    if name in list(types.values())[1:]:
        raise InputError(f"top must not be the name of an inner module, not {name!r}")
    types[netlist.modules[0].name] = name

    def write(module: Module) -> str:
        return write_module(
            deepcopy(module), types[module.name], ports=ports, types=types, states=netlist.states.get(module.name, {}),
            reset_low=reset_low, comment=netlist.comments.get(module.name, ""),
        )

    # Leaves come last; their parents can be equal only once equal leaves have one name.
    kept = {module.name: module for module in netlist.modules}
    first: dict[str, str] = {}
    for module in reversed(netlist.modules):
        body = write(module).replace(f"module {types[module.name]} (", "module (", 1)
        if body in first:
            del kept[first[body]]
            old, new = types[first[body]], types[module.name]
            types = {path: new if kind == old else kind for path, kind in types.items()}
        first[body] = module.name
    texts = {types[path]: write(module) for path, module in kept.items()}
    return texts | {f"{prefix}{shape.suffix}": write_memory(shape, prefix) for shape in sorted(platform.shapes)}


def _elaborate(component: wiring.Component, top: str, platform: MemoryPlatform, reset_low: bool) -> _Netlist:
    fragment: Any = Fragment.get(component, platform)
    components = dict(components_of(fragment, (top,)))
    ports = {
        name: (value, PortDirection.Input if flow is wiring.In else PortDirection.Output)
        for name, value, flow in _flatten(component)
    }
    domain: Any = ClockDomain("sync", async_reset=reset_low)
    fragment.add_domains(domain)
    ports = {"clk": (domain.clk, PortDirection.Input), "rst": (domain.rst, PortDirection.Input), **ports}
    text, wires = rtlil.convert_fragment(fragment, ports, top, emit_src=False)
    states: dict[str, dict[str, dict[int, str]]] = {}
    for signal, (*path, wire) in wires.items():
        if named := _state_names(signal):
            states.setdefault("\\" + ".".join(path), {})["\\" + wire] = named
    wanted: dict[str, dict[str, str]] = {}
    for path, part in components.items():
        for name, value, _ in _flatten(part):
            *where, wire = wires.get(value, ("",)) if isinstance(value, Signal) else ("",)
            if tuple(where) == path:
                wanted.setdefault("\\" + ".".join(path), {})["\\" + wire] = name
    comments = {"\\" + ".".join(path): _first_sentence(part) for path, part in components.items()}
    return _Netlist(parse(text), states, comments, wanted)


def _flatten(component: wiring.Component) -> Iterator[tuple[str, Value, wiring.Flow]]:
    """Ports of a component: name, value, direction."""
    for path, member, value in component.signature.flatten(component):
        yield "__".join(map(str, path)), Value.cast(value), member.flow


def _state_names(signal: object) -> dict[int, str]:
    """States of a machine by their encoding; empty for any other signal."""
    decoder, size = getattr(signal, "decoder", None), len(signal)  # pyright: ignore[reportArgumentType]
    names: dict[int, str] = {}
    if callable(decoder) and size <= 8:
        for value in range(2**size):
            try:
                names[value] = str(decoder(value)).rpartition("/")[0] or str(decoder(value))
            except (KeyError, ValueError):
                continue
    return names


def components_of(fragment: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], wiring.Component]]:
    """The components that a design was made of, by path."""
    for origin in fragment.origins or ():
        if isinstance(origin, wiring.Component):
            yield path, origin
            break
    for inner, name, _ in fragment.subfragments:
        if name is not None:
            yield from components_of(inner, (*path, name))


def _first_sentence(component: wiring.Component) -> str:
    """First sentence of the docstring of a component, without markup."""
    doc = (type(component).__doc__ or "").strip()
    sentence = re.split(r"(?<=\.)\s|\n\s*\n", doc)[0]
    plain = re.sub(r":\w+:`~?([^`]*)`|``([^`]*)``", lambda m: (m[1] or m[2]).rpartition(".")[2], sentence)
    return " ".join(plain.split())


def _module_types(modules: list[Module], prefix: str) -> dict[str, str]:
    """Verilog names of modules: the shortest end of the path that tells them apart."""
    paths = {module.name: module.name.removeprefix("\\").split(".") for module in modules}
    length = dict.fromkeys(paths, 1)
    while True:
        names = {name: identifier(prefix + "_".join(path[-length[name] :])) for name, path in paths.items()}
        clashes = {text for text, count in Counter(n.lower() for n in names.values()).items() if count > 1}
        longer = [n for n in paths if names[n].lower() in clashes and length[n] < len(paths[n])]
        if not longer:
            return names
        for name in longer:
            length[name] += 1
