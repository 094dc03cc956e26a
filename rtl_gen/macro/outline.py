"""Outline of the macro and the places of its pins, by ``[macro]``: as LEF, and as a page for who draws the array."""

from collections.abc import Sequence
from dataclasses import dataclass

from mho.hw.config import Chip, ChipError, MacroSection
from mho.hw.config.macros.macro import EDGES
from mho.rtl_gen.macro.adapter import hard_ports, module_name
from mho.rtl_gen.macro.port_map import PortMap
from mho.rtl_gen.macro.supplies import supply_pins
from mho.rtl_gen.verilog.ports import Port

_LAYERS = {"left": "Metal3", "right": "Metal3", "bottom": "Metal2", "top": "Metal2"}
"""Of the pins of an edge, as SG13G2 calls them: across to it."""
_WIDTH_um, _DEPTH_um = 0.4, 1.0
"""Of a pin along its edge, and into the macro."""
_LEAST_um = 100.0
"""Width of a macro that says none."""


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A pin bit: its name, direction and use of LEF, edge, and its box (left, bottom, right, top) in um."""

    name: str
    direction: str
    use: str
    edge: str
    box: tuple[float, float, float, float]

    @property
    def layer(self) -> str:
        """Layer of its box."""
        return _LAYERS[self.edge]


@dataclass(frozen=True, kw_only=True)
class Outline:
    """Width and height in um, the pins of each edge in their order from the lower left corner, then the supplies."""

    width: float
    height: float
    pins: tuple[Pin, ...]


def macro_outline(chip: Chip, ports: PortMap) -> Outline:
    """Outline of the macro: as ``[macro]`` says, else with inputs on the left, outputs on the right and room for all.

    Raises ChipError if a side has a pin that is none, or the outline has no room for the pins of an edge.
    """
    macro = chip.macro or MacroSection(module=module_name(chip))
    supplies, listed = hard_ports(chip, ports)
    edges = {edge: [port for port in listed if _edge(macro, port) == edge] for edge in EDGES}
    for pin in macro.sides:
        if pin not in {port.name for port in listed}:
            raise ChipError(f"macro.sides.{pin}", f"macro.sides.{pin}: {module_name(chip)} has no pin {pin}")
    pitch = macro.pin_pitch_um
    need = {edge: pitch * sum(len(port.numbers) for port in each) for edge, each in edges.items()}
    height = _length(macro.height_um, "height_um", max(need["left"], need["right"]) + 2 * len(supplies) + 4, 0.0)
    width = _length(macro.width_um, "width_um", max(need["bottom"], need["top"]) + 4, max(_LEAST_um, float(chip.lines)))
    pins: list[Pin] = []
    for edge, listed_there in edges.items():
        bits = [(port, bit) for port in listed_there for bit in _bits(port)]
        for number, (port, bit) in enumerate(bits, start=1):
            direction = "OUTPUT" if port.direction == "output" else "INPUT"
            box = _box(edge, pitch * number, width, height)
            pins.append(Pin(name=bit, direction=direction, use="SIGNAL", edge=edge, box=box))
    ground = supply_pins(chip.macro)[1]
    for number, pin in enumerate(supplies, start=1):
        y = height - 2 * number
        pins.append(Pin(name=pin, direction="INOUT", use="GROUND" if pin in ground else "POWER", edge="left",
                        box=(2.0, y, width - 2.0, y + 0.8)))
    return Outline(width=width, height=height, pins=tuple(pins))


def _edge(macro: MacroSection, port: Port) -> str:
    return macro.sides.get(port.name, "right" if port.direction == "output" else "left")


def _bits(port: Port) -> list[str]:
    return [port.name] if port.limits is None else [f"{port.name}[{number}]" for number in port.numbers]


def _length(said: float, name: str, need: float, usual: float) -> float:
    if said and said < need:
        path = f"macro.{name}"
        raise ChipError(path, f"{path} must be at least {need:g} for the pins of an edge at its pitch, not {said:g}")
    return said or max(need, usual)


def _box(edge: str, place: float, width: float, height: float) -> tuple[float, float, float, float]:
    end = place + _WIDTH_um
    return {
        "left": (0.0, place, _DEPTH_um, end), "right": (width - _DEPTH_um, place, width, end),
        "bottom": (place, 0.0, end, _DEPTH_um), "top": (place, height - _DEPTH_um, end, height),
    }[edge]


def write_lef(chip: Chip, ports: PortMap) -> str:
    """LEF of the macro: its outline, signals on the edges, supplies across."""
    outline, name = macro_outline(chip, ports), module_name(chip)
    width, height = outline.width, outline.height
    lines = [
        "# Template: pins are those of the macro; size, places and layers are placeholders.", "VERSION 5.8 ;",
        'BUSBITCHARS "[]" ;', 'DIVIDERCHAR "/" ;', f"MACRO {name}", "  CLASS BLOCK ;", "  ORIGIN 0 0 ;",
        f"  SIZE {width:.3f} BY {height:.3f} ;",
    ]
    for pin in outline.pins:
        corners = " ".join(f"{value:.3f}" for value in pin.box)
        lines += [
            f"  PIN {pin.name}", f"    DIRECTION {pin.direction} ;", f"    USE {pin.use} ;", "    PORT",
            f"      LAYER {pin.layer} ;", f"        RECT {corners} ;", "    END", f"  END {pin.name}",
        ]
    top = height - 2 - 2 * sum(pin.use != "SIGNAL" for pin in outline.pins)
    lines += ["  OBS", "    LAYER Metal3 ;", f"      RECT 2.000 1.000 {width - 2:.3f} {top:.3f} ;",
              "  END", f"END {name}", "END LIBRARY"]
    return "\n".join(lines) + "\n"


def write_outline(chip: Chip, ports: PortMap) -> str:
    """Page of the outline: size, and each edge's pins in their order, bits of one bus in a row."""
    outline, supplies = macro_outline(chip, ports), hard_ports(chip, ports)[0]
    pitch = (chip.macro or MacroSection(module=module_name(chip))).pin_pitch_um
    rows = [
        f"| {edge} | `{_range(bits)}` | {bits[0].direction.lower()} | {_centre(bits[0]):g} | {_centre(bits[-1]):g} | "
        f"{bits[0].layer} |" for edge in EDGES for bits in _buses(outline.pins, edge)
    ]
    rows += [f"| across | `{pin.name}` | {pin.use.lower()} | {pin.box[1]:g} | {pin.box[3]:g} | {pin.layer} |"
             for pin in outline.pins if pin.name in supplies]
    return "\n".join([
        f"# Outline of {module_name(chip)}", "",
        f"{outline.width:g} x {outline.height:g} um. Pins are {_WIDTH_um:g} um wide and {_DEPTH_um:g} um deep, "
        f"{pitch:g} um from centre to centre; where they are is in um from the lower left corner, in their order from "
        "there. Keys `width_um`, `height_um`, `pin_pitch_um` and `sides` of `[macro]` say it otherwise.", "",
        "| edge | pin | is | first | last | layer |", "|---|---|---|---|---|---|", *rows, "",
    ])


def _buses(pins: Sequence[Pin], edge: str) -> list[list[Pin]]:
    buses: dict[str, list[Pin]] = {}
    for pin in pins:
        if pin.edge == edge and pin.use == "SIGNAL":
            buses.setdefault(pin.name.partition("[")[0], []).append(pin)
    return list(buses.values())


def _range(bits: Sequence[Pin]) -> str:
    names = [bit.name for bit in bits]
    return names[0] if len(names) == 1 else f"{names[0].removesuffix(']')}:{names[-1].partition('[')[2]}"


def _centre(pin: Pin) -> float:
    low = pin.box[1] if pin.edge in ("left", "right") else pin.box[0]
    return round(low + _WIDTH_um / 2, 3)
