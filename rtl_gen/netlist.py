"""From a component to a netlist of modules with names."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Value
from amaranth.hdl._ir import Fragment, PortDirection
from amaranth.lib import wiring

from rtl_gen.memories import MemoryPlatform, MemoryShape, write_memory
from rtl_gen.names import identifier
from rtl_gen.rtlil import Module, parse
from rtl_gen.verilog import port_names, write_module

__all__ = ["emit"]


@dataclass(frozen=True)
class _Netlist:
    modules: list[Module]
    states: Mapping[str, Mapping[str, Mapping[int, str]]]
    comments: Mapping[str, str]
    memories: list[MemoryShape]


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
    ToolError
        If the design holds something that cannot be written as Verilog here.
    """
    netlist = _elaborate(component, top, prefix, reset_low)
    ports = {module.name: port_names(module, reset_low=reset_low) for module in netlist.modules}
    types = _module_types(netlist.modules, prefix)
    types[netlist.modules[0].name] = name
    texts: dict[str, str] = {}
    seen: dict[str, str] = {}
    # Leaves first, so that parents of equal modules can be found equal too.
    for module in reversed(netlist.modules):
        text = write_module(
            module, types[module.name], ports=ports, types=types, states=netlist.states.get(module.name, {}),
            reset_low=reset_low, comment=netlist.comments.get(module.name, ""),
        )
        body = text.replace(f"module {types[module.name]} (", "module (", 1)
        if body in seen:
            types[module.name] = seen[body]
            continue
        seen[body] = types[module.name]
        texts[types[module.name]] = text
    ordered = dict(reversed(texts.items()))
    return ordered | {f"{prefix}{shape.suffix}": write_memory(shape, prefix) for shape in netlist.memories}


def _elaborate(component: wiring.Component, top: str, prefix: str, reset_low: bool) -> _Netlist:
    platform = MemoryPlatform(prefix)
    fragment = Fragment.get(component, platform)
    comments = dict(_describe(fragment, (top,)))
    ports = {
        "__".join(map(str, path)): (
            Value.cast(value), PortDirection.Input if member.flow is wiring.In else PortDirection.Output
        )
        for path, member, value in component.signature.flatten(component)
    }
    domain = ClockDomain("sync", async_reset=reset_low)
    fragment.add_domains(domain)
    ports = {"clk": (domain.clk, PortDirection.Input), "rst": (domain.rst, PortDirection.Input), **ports}
    text, wires = rtlil.convert_fragment(fragment, ports, top, emit_src=False)
    states: dict[str, dict[str, dict[int, str]]] = {}
    for signal, (*path, wire) in wires.items():
        if named := _state_names(signal):
            states.setdefault("\\" + ".".join(path), {})["\\" + wire] = named
    return _Netlist(parse(text), states, comments, sorted(platform.shapes))


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


def _describe(fragment: Fragment, path: tuple[str, ...]) -> list[tuple[str, str]]:
    """First sentences of the docstrings of components, by module name."""
    found: list[tuple[str, str]] = []
    origin = (fragment.origins or (None,))[0]
    if isinstance(origin, wiring.Component) and type(origin).__doc__:
        sentence = re.split(r"(?<=\.)\s|\n\s*\n", type(origin).__doc__.strip())[0]
        plain = re.sub(r":\w+:`~?([^`]*)`|``([^`]*)``", lambda m: (m[1] or m[2]).rpartition(".")[2], sentence)
        found.append(("\\" + ".".join(path), " ".join(plain.split())))
    for inner, name, _ in fragment.subfragments:
        if name is not None:
            found += _describe(inner, (*path, name))
    return found


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
