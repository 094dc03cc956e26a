"""Views of the macro for a first run of a flow, before it has a layout: templates that its user replaces.

Sizes, delays and capacitances are placeholders: they are there so that tools have all pins, and say so.
"""

import re
from collections.abc import Mapping, Sequence

from mho.hw.config import Chip, MacroSection
from mho.hw.config.macros.macro import DOMAINS
from mho.rtl_gen.macro.adapter import hard_ports, module_name
from mho.rtl_gen.macro.port_map import PortMap
from mho.rtl_gen.macro.supplies import supply_nets, supply_pins
from mho.rtl_gen.templates import fill, template
from mho.rtl_gen.verilog.ports import Port


def _clock(ports: PortMap) -> str:
    """The pin that the clock drives, if there is one."""
    return next((pin for pin, bits in ports.drivers.items() if any(bit.source == "clk" for bit in bits.values())), "")


def write_liberty(chip: Chip, ports: PortMap) -> str:
    """Liberty of the macro: every pin, with placeholders for its timing beside the clock."""
    name, clock = module_name(chip), _clock(ports)
    power, ground = supply_pins(chip.macro)
    supplies, listed = hard_ports(chip, ports)
    widths = sorted({port.limits for port in listed if port.limits})
    types = [
        f"  type (bus_{left}_{right}) {{ base_type : array; data_type : bit; bit_width : {abs(left - right) + 1}; "
        f"bit_from : {left}; bit_to : {right}; downto : {'true' if left >= right else 'false'}; }}"
        for left, right in widths
    ]
    kinds = {pin: "primary_power" if pin in power else "primary_ground" for pin in (*power, *ground)}
    pg_pins = [
        f"    pg_pin ({pin}) {{ voltage_name : {pin}; pg_type : {kinds.get(pin, 'primary_power')}; }}"
        for pin in supplies
    ]
    voltages = [f"  voltage_map ({pin}, {0.0 if pin in ground else 1.2});" for pin in supplies]
    pins = [line for port in listed for line in _liberty_pin(port, clock)]
    head, inside = ("".join(f"{line}\n" for line in lines) for lines in ((*voltages, *types), (*pg_pins, *pins)))
    return fill(template("macro.lib"), {"NAME": name, "HEAD": head, "PINS": inside})


def _liberty_pin(port: Port, clock: str) -> list[str]:
    head = f"pin ({port.name})" if port.limits is None else f"bus ({port.name})"
    kind = f" bus_type : bus_{port.limits[0]}_{port.limits[1]};" if port.limits else ""
    lines = [f"    {head} {{{kind} direction : {port.direction};"]
    if port.direction != "output":
        lines.append(f"      capacitance : 0.01;{' clock : true;' * (port.name == clock)}")
    if clock and port.direction == "output":
        lines += [
            f'      timing () {{ related_pin : "{clock}"; timing_type : rising_edge;',
            *(f'        {table} (scalar) {{ values ("{value}"); }}' for table, value in (
                ("cell_rise", 1.0), ("cell_fall", 1.0), ("rise_transition", 0.1), ("fall_transition", 0.1))),
            "      }",
        ]
    if clock and port.direction == "input" and port.name != clock:
        lines += [
            f'      timing () {{ related_pin : "{clock}"; timing_type : {kind}_rising; '
            f'rise_constraint (scalar) {{ values ("{value}"); }} fall_constraint (scalar) {{ values ("{value}"); }} }}'
            for kind, value in (("setup", 1.0), ("hold", 0.0))
        ]
    return [*lines, "    }"]


_TILE = re.compile(r"(.*tile_\d+_\d+)/core/")
_SWITCHED = ("tile", "core", "core_access", "split")
"""Blocks of a tile that are switched off."""


def write_upf(chip: Chip, top: str, instances: Sequence[str]) -> str:
    """``TOP.upf``: the digital part and the macros as power domains, every supply of the macros, what each is for."""
    power, ground = supply_pins(chip.macro)
    powers, grounds = supply_nets(chip.macro)
    nets = [*powers, *(net for net in grounds if net not in powers)]
    paths = [instance.replace(".", "/") for instance in instances]
    pairs = [(pin, net) for table in (power, ground) for pin, net in table.items()]
    inside = chip.macro is None or not chip.macro.wrapper
    sets = _supply_sets(chip.macro)
    lines = [
        f"# Power intent of {top}. The digital part has the first power and ground net; the others are the macro's.",
        *([] if sets else ["# Which supply is the array's, its periphery's or that of programming: [macro.domains]."]),
        "# What programs cells is isolated in Verilog (programming_isolation.v) by programming_enable: clamped to 0.",
        "upf_version 2.1", f"set_design_top {top}", "create_power_domain PD_DIGITAL -include_scope",
        f"create_power_domain PD_MACRO -elements {{{' '.join(paths)}}}",
    ]
    for net in nets:
        lines += [f"create_supply_port {net} -domain PD_DIGITAL", f"create_supply_net {net} -domain PD_DIGITAL",
                  f"create_supply_net {net} -domain PD_MACRO -reuse", f"connect_supply_net {net} -ports {{{net}}}"]
    if powers and grounds:
        domain_supply = sets.get("periphery", (powers[0], grounds[0]))
        for domain, (plus, minus) in (("PD_DIGITAL", (powers[0], grounds[0])), ("PD_MACRO", domain_supply)):
            lines.append(f"set_domain_supply_net {domain} -primary_power_net {plus} -primary_ground_net {minus}")
    lines += [f"connect_supply_net {net} -ports {{{path}/{pin}}}" for path in paths for pin, net in pairs if inside]
    return "\n".join([*lines, *_switched_tiles(paths, powers, grounds), *_power_states(sets)]) + "\n"


def _switched_tiles(paths: Sequence[str], powers: Sequence[str], grounds: Sequence[str]) -> list[str]:
    """A domain for each tile without its node and its macro, which the tile's pin ``power_off`` switches off."""
    lines = []
    for number, match in enumerate(match for path in paths if (match := _TILE.match(path))):
        tile, domain, supply = match[1], f"PD_TILE_{number}", f"{powers[0] if powers else 'VPWR'}_TILE_{number}"
        parts = " ".join(f"{tile}/{part}" for part in _SWITCHED)
        lines.append(f"create_power_domain {domain} -elements {{{parts}}}")
        if powers and grounds:
            lines += [
                f"create_supply_net {supply} -domain {domain}",
                f"create_supply_net {grounds[0]} -domain {domain} -reuse",
                f"set_domain_supply_net {domain} -primary_power_net {supply} -primary_ground_net {grounds[0]}",
                f"create_power_switch SW_TILE_{number} -domain {domain} -input_supply_port {{in {powers[0]}}} "
                f"-output_supply_port {{out {supply}}} -control_port {{off {tile}/power_off}} "
                "-on_state {on in {!off}} -off_state {off {off}}",
            ]
        lines.append(f"set_isolation ISO_TILE_{number} -domain {domain} -applies_to outputs -clamp_value 0 "
                     f"-isolation_signal {tile}/power_off -isolation_sense high -location parent")
    if lines:
        lines.insert(0, "# A tile without its node is switched off by its pin power_off, which is the bit off of the "
                        "node's register power, and power_off[n] at the top.")
    return lines


def _supply_sets(macro: MacroSection | None) -> dict[str, tuple[str, str]]:
    """Power net and ground net of each kind of supply that the description names, in their order."""
    if macro is None or not macro.ground:
        return {}
    sets = {}
    for domain in DOMAINS:
        pins = [pin for pin, named in macro.domains.items() if named == domain]
        plus = [macro.power[pin] for pin in pins if pin in macro.power]
        minus = [macro.ground[pin] for pin in pins if pin in macro.ground]
        if plus:
            sets[domain] = plus[0], (minus or list(macro.ground.values()))[0]
    return sets


def _power_states(sets: Mapping[str, tuple[str, str]]) -> list[str]:
    """Supply sets, and the states that the macro is made for: it programs, it multiplies, its array is off."""
    lines = []
    for domain, (plus, minus) in sets.items():
        name = f"SS_{domain.upper()}"
        lines += [
            f"create_supply_set {name} -function {{power {plus}}} -function {{ground {minus}}}",
            f"add_power_state {name} -state {{ON -supply_expr {{power == FULL_ON && ground == FULL_ON}}}}",
            f"add_power_state {name} -state {{OFF -supply_expr {{power == OFF}}}}",
        ]
    # Supplies that are on in each state; the programming supply is the last on and the first off.
    states = {"PROGRAMS": DOMAINS, "MULTIPLIES": ("array", "periphery"), "RESTS": ("periphery",)}
    states_written: list[str] = []
    for state, on in states.items():
        terms = " && ".join(f"SS_{domain.upper()} == {'ON' if domain in on else 'OFF'}" for domain in sets)
        if terms and terms not in states_written:
            states_written.append(terms)
            lines.append(f"add_power_state PD_MACRO -state {{{state} -logic_expr {{{terms}}}}}")
    return lines
