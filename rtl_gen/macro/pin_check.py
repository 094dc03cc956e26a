"""Whether the pins of a user's own macro fit the contract: what is missing, unconnected, of the wrong width."""

from collections.abc import Mapping

from mho.hw.chip.tops import WRAPS, build_chip, build_top
from mho.hw.config import TILE_FLITS, Chip, ChipError, MacroSection
from mho.hw.kinds import core_blocks
from mho.hw.macro.contract import ContractPins, WritePins
from mho.macro_models.errors import nearest
from mho.rtl_gen.macro.contract import contract_signals, pin_signals
from mho.rtl_gen.macro.outline import macro_outline
from mho.rtl_gen.macro.port_map import PortMap, macro_ports
from mho.rtl_gen.macro.resolve import map_ports
from mho.rtl_gen.macro.supplies import supply_nets
from mho.rtl_gen.verilog.blocks import port_names
from mho.rtl_gen.verilog.names import identifier
from mho.rtl_gen.verilog.ports import Port

_OPTIONAL = frozenset({"clk", "rst", "op_id", "hold", "write_pass", "verify_valid"})
"""Signals that a macro in silicon does without."""

_READ = {
    "cmp": "the converters read", "verify_code": "write-verify reads", "code": "the codes come by",
    "request": "commands are given by",
}
"""Signals that cannot be tied or left out, and why: what ... it."""

_WRITE = frozenset(WritePins(1, 1).members) | frozenset(WritePins(1, 1, biased=True, floats=True).members)


def macro_map(chip: Chip, *, own: bool = True) -> PortMap:
    """The pin map of a chip's macro, or of the contract's if it has none or its ``own`` is not asked for."""
    ports, _ = macro_ports(chip) if own else (None, [])
    return map_ports(chip.macro if own else None, core_blocks(chip).pins, ports)


def check_macro_pins(chip: Chip) -> list[str]:
    """Problems of ``[macro]``, one sentence each; none if the chip has no macro of its own.

    Without ``files``, or where the files do not hold the module, only the map itself can be checked; the latter is a
    problem of its own.
    """
    macro = chip.macro
    if macro is None:
        return []
    pins = core_blocks(chip).pins
    ports, unread = macro_ports(chip)
    problems = _check_signals(macro, pins) + unread
    if not unread:
        problems += map_ports(macro, pins, ports).problems
    problems += _check_supplies(macro, ports)
    problems += _check_names(chip, macro)
    if not problems:
        try:
            macro_outline(chip, map_ports(macro, pins, ports))
        except ChipError as error:
            problems.append(str(error))
    return problems


def check_shared_pins(chip: Chip) -> list[str]:
    """Problems of ``[macro.extra]`` where all macros of a chip share the ports of its top, one sentence each."""
    if chip.macro is None or chip.cores == 1:
        return []
    ports = macro_map(chip).ports
    return [
        f"macro.extra.{pin}: output {pin} of {chip.cores} macros would drive one port, {top}, of the chip: leave it "
        "out, take it up in a wrapper (macro.wrapper), or generate --part tile and join the tiles yourself"
        for pin, top in chip.macro.extra.items() if pin in ports and ports[pin].direction == "output"
    ]


def macro_warnings(chip: Chip) -> list[str]:
    """Sentences about what of the core its own macro does not use, if the chip has one."""
    macro = chip.macro
    if macro is None:
        return []
    problems = []
    if core_blocks(chip).programs and not _programmable(macro, core_blocks(chip).pins):
        problems.append(
            "macro.pins names no pin of programming (write_mode to verify_valid), so the write-verify engine of the "
            "core programs nothing: connect them, or leave the engine out by programming.engine = false"
        )
    for signal, bits in macro_map(chip).lossy.items():
        problems.append(
            f"macro.pins.{signal}: {len(bits)} of its bits reach no pin, so values that differ in them alone are one "
            "value for the macro"
        )
    problems += [*macro_map(chip).warnings, *check_shared_pins(chip)]
    if not macro.power and not macro.ground:
        problems.append(
            "macro.power and macro.ground name no supplies, so the black box has none and LibreLane connects none"
        )
    return problems


def _programmable(macro: MacroSection, pins: ContractPins) -> bool:
    return any(name in macro.pins for name in pins.write_names)


def _check_signals(macro: MacroSection, pins: ContractPins) -> list[str]:
    """The left sides: known, and all there."""
    signals, problems = pin_signals(pins, macro), _check_commands(macro, pins)
    strobes = contract_signals(pins, macro)
    optional = _OPTIONAL if _programmable(macro, pins) else _OPTIONAL.union(pins.write_names)
    for name in macro.pins:
        if name not in signals and name in _WRITE:
            problems.append(f"macro.pins.{name}: the core drives no such signal where programming.engine = false")
        elif name not in signals and name in strobes:
            problems.append(f"macro.pins.{name}: macro.commands drives it; the macro answers at done and code")
        elif name not in signals:
            near = nearest(name, signals)
            hint = f"did you mean {near}?" if near else "mho generate without macro writes all of them in its stub"
            problems.append(f"macro.pins.{name}: the contract has no such signal, {hint}")
    for name, (width, driven) in signals.items():
        connections = macro.connections.get(name)
        if connections is None:
            if name not in optional:
                advice = "" if name in {*_READ, "done"} else ", or write 0 to leave it unconnected"
                problems.append(f"macro.pins.{name} is missing: name its pin{advice}")
        elif connections[0].constant is not None:
            problems += _check_constant(name, connections[0].constant, width, driven)
    return problems


def _check_commands(macro: MacroSection, pins: ContractPins) -> list[str]:
    """Problems of ``[macro.commands]``."""
    if macro.command_table is None:
        return []
    if pins.command_port(macro.command_table) is None:
        return ["macro.commands must be left out: macros of this kind take no commands"]
    return macro.command_table.problems(pins.lines)


def _check_constant(name: str, constant: int, width: int, driven: bool) -> list[str]:
    if name in _READ:
        return [f"macro.pins.{name} must be a pin, because {_READ[name]} it, not {constant}"]
    if name == "done" and constant != 1:
        return [f"macro.pins.done must be a pin, or 1 where every command takes two cycles, not {constant}"]
    if driven and constant >= 2**width:
        return [f"macro.pins.{name} must fit in {width} bits, not {constant}"]
    if not driven and constant:
        return [f"macro.pins.{name} must be a pin, or 0 to leave it unconnected, not {constant}; see macro.ties"]
    return []


def _check_supplies(macro: MacroSection, ports: Mapping[str, Port] | None) -> list[str]:
    problems = []
    if macro.power and not macro.ground:
        ground = next((f'{pin} = "{net}"' for pin, net in macro.power.items() if _like_ground(pin, net)), 'VSS = "VSS"')
        problems.append(
            f"macro.ground is missing: the ground pins stand in a table of their own, [macro.ground] {ground}"
        )
    elif macro.ground and not macro.power:
        problems.append('macro.power is missing: name the power pins of the macro there, as VDD = "VDD"')
    power, ground = supply_nets(macro)
    twice = [pin for pin in macro.ground if pin in macro.power]
    problems += [f"macro.ground.{pin}: pin {pin} is in macro.power already" for pin in twice]
    problems += [f"macro.ground: net {net} is one of macro.power already" for net in ground if net in power]
    for table, pins in (("power", macro.power), ("ground", macro.ground)):
        for pin in pins if ports is not None else ():
            port = ports.get(pin) if ports else None
            if port is None:
                problems.append(f"macro.{table}.{pin}: {macro.outer} has no pin {pin}")
            elif port.direction == "output":
                problems.append(f"macro.{table}.{pin}: a supply must be an inout or an input, not an output")
            elif port.width != 1:
                problems.append(f"macro.{table}.{pin}: a supply must be 1 bit wide, not [{port.bits.strip(' []')}]")
    return problems


def _like_ground(pin: str, net: str) -> bool:
    return any(word in name.upper() for name in (pin, net) for word in ("VSS", "GND"))


def _check_names(chip: Chip, macro: MacroSection) -> list[str]:
    """Names that nets of supplies and extra ports must not have at the levels up to the top."""
    names = {"clk": "clock", "rst": "reset", "rst_n": "reset"}
    names |= dict.fromkeys(pin_signals(core_blocks(chip).pins, macro), "signal of the adapter")
    names |= dict.fromkeys(contract_signals(core_blocks(chip).pins), "signal of the contract")
    build, what = (build_top, "core") if not chip.tiled else (build_chip, "chip")
    whole = not chip.tiled or chip.mesh.payload_bits in TILE_FLITS
    for wrap in WRAPS if whole and (macro.extra or macro.power or macro.ground) else ():
        names |= dict.fromkeys(port_names(build(chip, wrap)), f"port of the {what} ({wrap})")
    names |= dict.fromkeys(macro_map(chip).derived, "signal of the adapter")
    power, ground = supply_nets(macro)
    nets = [("power", net) for net in power] + [("ground", net) for net in ground if net not in power]
    problems = []
    for table, name in [*nets, *(("extra", port) for port in macro.extra.values())]:
        if name in names:
            problems.append(f"macro.{table}: {name} must be another name, which is a {names[name]} already")
        elif name.startswith(("pin_", "turned_")):
            problems.append(f"macro.{table}: {name} must not begin like a signal of the adapter, with pin_ or turned_")
        elif identifier(name) != name:
            problems.append(f"macro.{table}: {name} must be a plain name in Verilog, no keyword and without __ or $")
        if table == "extra":
            names[name] = "port of macro.extra"
        else:
            names[name] = "supply"
    return problems
