"""Supplies of a macro and the pins of it that its user brings to the top: what passes every level of the design."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mho.hw.config import MacroSection
from mho.macro_models.errors import InputError
from mho.rtl_gen.verilog.ports import Port

_DEFAULT = ({"VDD": "VDD"}, {"VSS": "VSS"})
"""Supplies of the macro of a chip that names none of its own."""


def supply_pins(macro: MacroSection | None) -> tuple[dict[str, str], dict[str, str]]:
    """Power pins and ground pins of the macro with their nets."""
    return _DEFAULT if macro is None else (dict(macro.power), dict(macro.ground))


def supply_nets(macro: MacroSection | None) -> tuple[list[str], list[str]]:
    """Power nets and ground nets, each once."""
    power, ground = supply_pins(macro)
    return list(dict.fromkeys(power.values())), list(dict.fromkeys(ground.values()))


@dataclass(frozen=True)
class Through:
    """What passes from the macro to the top: nets of supplies, and ports by their names."""

    nets: tuple[str, ...] = ()
    extra: Mapping[str, Port] | None = None

    def declarations(self) -> tuple[str, list[str]]:
        """In the header of a module: the supplies, which come first, and the other ports, which come last."""
        ports = [f"  {port.direction:<6} wire {port.bits}{name}" for name, port in (self.extra or {}).items()]
        return guarded([f"  inout  wire {net}," for net in self.nets]), ports

    def connections(self) -> str:
        """In an instance: what comes first."""
        extra = "".join(f"    .{name}({name}),\n" for name in self.extra or {})
        return guarded([f"    .{net}({net})," for net in self.nets]) + extra


def guarded(lines: list[str]) -> str:
    """Lines that are there where ``USE_POWER_PINS`` is defined, as tools for tape-out do."""
    return "\n".join(["`ifdef USE_POWER_PINS", *lines, "`endif", ""]) if lines else ""


def pass_through(
    texts: Mapping[str, str], inner: str | Sequence[str], through: Through, resets: tuple[str, ...] = ()
) -> dict[str, str]:
    """Verilog of modules with the ports of ``through`` in every module around ``inner``, which have them already.

    ``resets`` are ports of ``inner``, which is one then, that the module around it has anyway.

    Raises InputError if a module uses one of the names for something else.
    """
    changed, names = dict(texts), [inner] if isinstance(inner, str) else list(inner)
    for name in names:
        instance = re.compile(rf"^  {re.escape(name)} (?:#\(.*\) )?\w+ \(\n", re.MULTILINE)
        for module, text in changed.items():
            if instance.search(text) is None:
                continue
            if module not in names:
                names.append(module)
                text = _with_ports(module, text, through)
            first = "".join(f"    .{port}({port}),\n" for port in (resets if name == inner else ()))
            more = through.connections() + first
            changed[module] = instance.sub(lambda match, more=more: match[0] + more, text)
    return changed


def _with_ports(module: str, text: str, through: Through) -> str:
    words = set(re.findall(r"[A-Za-z_]\w*", re.sub(r"//[^\n]*", "", text)))
    for table, names in (("power and macro.ground", through.nets), ("extra", through.extra or {})):
        for name in names:
            if name in words:
                raise InputError(f"macro.{table}: {name} must be another name, which module {module} does not use")
    supplies, ports = through.declarations()
    start = re.search(rf"^module {re.escape(module)} \(\n", text, re.MULTILINE)
    end = -1 if start is None else text.index("\n);", start.end())
    assert start is not None
    inside = text[start.end() : end] + "".join(f",\n{port}" for port in ports)
    return text[: start.end()] + supplies + inside + text[end:]
