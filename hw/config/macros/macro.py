"""``[macro]``: a user's own macro behind the pins of the contract.

This module checks how the section is written; whether the pins fit the macro's ports is checked where the ports are
known, by the Verilog generator.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from mho.hw.config.keys import ChipError, check_section, key, shown
from mho.hw.config.macros.commands import CommandTable, parse_commands
from mho.hw.config.macros.pin_map import IDENTIFIER, PinConnection, PinPart, parse_pins, parse_slice
from mho.macro_models.files.scripts import NAME

DOMAINS = ("array", "periphery", "programming")
"""What a supply of a macro can be for."""
EDGES = ("left", "right", "bottom", "top")
"""Of a macro's outline."""


@dataclass(frozen=True, kw_only=True)
class MacroSection:
    """``[macro]``: module, sources, pins and supplies of a user's own macro.

    Raises ChipError if the module is missing or a value has the wrong form.
    """

    module: str = key(
        "", "Name of the macro's module.", pattern=NAME, expects="a Verilog module name",
        shapes=("adapter",),
    )
    files: tuple[str, ...] = key(
        (), "Sources of the macro for simulation, or its ports alone, relative to this file.", pattern=r".+",
        expects="file names",
    )
    wrapper: str = key(
        "", "Module of your own around the macro, which is synthesised; the pins are then its pins.",
        pattern=rf"({NAME})?", expects="a Verilog module name", shapes=("adapter",), later=True,
    )
    rtl: tuple[str, ...] = key(
        (), "Sources of the wrapper, relative to this file.", pattern=r".+", expects="file names", later=True,
    )
    absolute: bool = key(
        False, "Decrements are in codes of a converter of the macro's own, whatever the conductances of a line; with "
        "commands they always are.", later=True,
    )
    pins: dict[str, str | int | list[str]] = key(
        {}, 'Signal of the contract = "PIN", "!PIN", "PIN[7:0]", "{HIGH, LOW}", a function or list of these, or 0.',
        expects='a table of SIGNAL = "PIN"', shapes=("adapter",),
    )
    commands: dict[str, str | int | list[str]] = key(
        {}, "Commands that stand for the strobes, of a macro with a command port and a converter of its own.",
        expects='a table of RUN = ["COMMAND DATA"]', shapes=("adapter",), later=True,
    )
    ties: dict[str, int] = key(
        {}, 'Input of the macro that is constant, or bits of one: PIN = 0, "PIN[1:0]" = 2.',
        expects="a table of PIN = VALUE", shapes=("adapter",), later=True,
    )
    extra: dict[str, str] = key(
        {}, 'Pin of the macro = "PORT" of the top, unchanged through every level.',
        expects='a table of PIN = "PORT"', shapes=("adapter",), later=True,
    )
    clocks: dict[str, float] = key(
        {}, "Pin of macro.extra that is a clock of the macro's own = its frequency in MHz.",
        expects="a table of PIN = MHZ", entries=("number",), later=True,
    )
    power: dict[str, str] = key(
        {}, 'Power pin of the macro = "NET".', expects='a table of PIN = "NET"',
        shapes=("adapter",),
    )
    ground: dict[str, str] = key(
        {}, 'Ground pin of the macro = "NET".', expects='a table of PIN = "NET"',
        shapes=("adapter",), later=True,
    )

    domains: dict[str, str] = key(
        {}, 'Supply pin of the macro = "array", "periphery" or "programming": what it supplies, for the power intent.',
        expects='a table of PIN = "array", "periphery" or "programming"', later=True,
    )
    width_um: float = key(0.0, "Width of the macro's outline; 0: as its pins want.", low=0.0, high=1e4, later=True)
    height_um: float = key(0.0, "Height of it; 0: as its pins want.", low=0.0, high=1e4, later=True)
    pin_pitch_um: float = key(1.0, "From pin to pin along an edge of the outline.", low=0.8, high=100.0, later=True)
    sides: dict[str, str] = key(
        {}, 'Pin of the macro = "left", "right", "bottom" or "top"; else inputs are left, outputs right.',
        expects='a table of PIN = "left", "right", "bottom" or "top"', later=True,
    )

    def __post_init__(self) -> None:
        check_section(self, "macro.")
        for signal, pin in self.pins.items():
            parse_pins(pin, f"macro.pins.{signal}")
        for pin, value in self.ties.items():
            _check_tie(pin, value)
        if self.commands:
            parse_commands(self.commands, "macro.commands")
        for table, kind in (("extra", "a port of the top"), ("power", "a net"), ("ground", "a net")):
            for pin, name in getattr(self, table).items():
                path = f"macro.{table}.{pin}"
                if not re.fullmatch(IDENTIFIER, pin):
                    raise ChipError(path, f"{path} must be the name of a pin, as PIN")
                if not isinstance(name, str) or not re.fullmatch(NAME, name):
                    raise ChipError(path, f"{path} must be the name of {kind}, not {shown(name)}")

        for pin, rate in self.clocks.items():
            path = f"macro.clocks.{pin}"
            if pin not in self.extra:
                raise ChipError(path, f"{path} must be a pin of macro.extra, which has no {pin}")
            if type(rate) not in (int, float) or not 0.001 <= rate <= 5000.0:
                raise ChipError(path, f"{path} must be 0.001 to 5000 MHz, not {shown(rate)}")

        for pin, side in self.sides.items():
            if side not in EDGES:
                path = f"macro.sides.{pin}"
                raise ChipError(path, f"{path} must be left, right, bottom or top, not {shown(side)}")

        for pin, domain in self.domains.items():
            path = f"macro.domains.{pin}"
            if domain not in DOMAINS:
                raise ChipError(path, f"{path} must be {', '.join(DOMAINS[:-1])} or {DOMAINS[-1]}, not {shown(domain)}")
            if pin not in self.power and pin not in self.ground:
                raise ChipError(path, f"{path} must be a pin of macro.power or macro.ground, which have no {pin}")

    @property
    def connections(self) -> dict[str, tuple[PinConnection, ...]]:
        """The pins, read: signal of the contract to where it goes, which is one place or several."""
        return {signal: parse_pins(pin, f"macro.pins.{signal}") for signal, pin in self.pins.items()}

    def open_bits(self, signal: str, width: int) -> set[int]:
        """Bits of a signal that reach no pin, or come from none, although others do.

        Raises ChipError if widths of its pins would have to be known.
        """
        parts = [part for part in self.connections.get(signal, ()) if part.constant is None]
        of_parts = [bits for part in parts if (bits := _open_bits(part, width)) is not None]
        if len(of_parts) < len(parts):
            path = f"macro.pins.{signal}"
            raise ChipError(path, f"{path} must say the bits of its pins, as PIN[7:0], where some are open or constant")
        return set[int].intersection(*of_parts) if of_parts else set()

    @cached_property
    def command_table(self) -> CommandTable | None:
        """The commands, read; None for a macro that takes the strobes themselves."""
        return parse_commands(self.commands, "macro.commands") if self.commands else None

    @property
    def takes_reset(self) -> bool:
        """Whether the core's reset goes to the macro, or to what stands before it."""
        return "rst" in self.pins or bool(self.commands)

    @property
    def outer(self) -> str:
        """Module that has the pins: the wrapper if there is one, else the macro."""
        return self.wrapper or self.module


def _open_bits(connection: PinConnection, width: int) -> set[int] | None:
    """Bits that no pin has; None if the parts do not tell which these are."""
    parts = connection.parts
    if connection.function or all(part.name for part in parts):
        return set()
    sizes = [part.size if not part.name else _size(part) for part in parts]
    if sizes.count(None) > 1:
        return None
    rest = width - sum(size or 0 for size in sizes)
    bits, top = set[int](), width
    for part, size in zip(parts, sizes, strict=True):
        top -= rest if size is None else size
        if not part.name:
            bits |= {top + k for k in range(size or 0)}
    return bits & set(range(width))


def _size(part: PinPart) -> int | None:
    return None if part.left is None else abs(part.left - (part.right or 0)) + 1


def _check_tie(pin: str, value: object) -> None:
    path = f"macro.ties.{pin}"
    try:
        parse_slice(pin)
    except ValueError:
        raise ChipError(path, f'{path} must be the name of a pin, as PIN or "PIN[7:0]"') from None
    if type(value) is not int or value < 0:
        raise ChipError(path, f"{path} must be an integer from 0, not {shown(value)}")
