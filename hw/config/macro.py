"""``[macro]``: a user's own macro behind the pins of the contract.

This module checks how the section is written; whether the pins fit the macro's ports is checked where the ports are
known, by the Verilog generator.
"""

import re
from dataclasses import dataclass

from hw.config.keys import ChipError, check_section, key, shown

__all__ = ["MacroSection", "PinConnection", "parse_pin"]

_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_$]*"
_PIN = re.compile(rf"(?P<inverted>!?)(?P<name>{_IDENTIFIER})(\[(?P<high>\d+)(:(?P<low>\d+))?\])?")


@dataclass(frozen=True, kw_only=True)
class PinConnection:
    """Where a signal of the contract goes: a pin of the macro, or a constant.

    Attributes
    ----------
    name
        Pin of the macro; empty for a constant.
    inverted
        The pin has the opposite polarity.
    high, low
        Bits of the pin, or None for the whole pin.
    constant
        Value that the signal is tied to (a signal that the macro would drive), or that stands for "not connected".
    """

    name: str = ""
    inverted: bool = False
    high: int | None = None
    low: int | None = None
    constant: int | None = None


def parse_pin(value: object, path: str) -> PinConnection:
    """Read the right side of a pin: ``"PIN"``, ``"!PIN"``, ``"PIN[7:0]"``, ``"PIN[3]"`` or a constant.

    Raises
    ------
    ChipError
        If it is none of these; ``path`` names the key.
    """
    if type(value) is int and value >= 0:
        return PinConnection(constant=value)
    match = _PIN.fullmatch(value) if isinstance(value, str) else None
    high, low = (match["high"], match["low"] or match["high"]) if match else (None, None)
    if match is None or (high is not None and low is not None and int(high) < int(low)):
        raise ChipError(path, f'{path} must be "PIN", "!PIN", "PIN[7:0]" or a constant, not {shown(value)}')
    return PinConnection(
        name=match["name"], inverted=bool(match["inverted"]),
        high=None if high is None else int(high), low=None if low is None else int(low),
    )


@dataclass(frozen=True, kw_only=True)
class MacroSection:
    """``[macro]``: module, sources, pins and supplies of a user's own macro.

    Raises
    ------
    ChipError
        If the module is missing or a value has the wrong form.
    """

    module: str = key(
        "", "Name of the macro's module.", pattern=_IDENTIFIER, expects="a Verilog module name",
        shapes=("adapter",),
    )
    files: tuple[str, ...] = key(
        (), "Sources of the macro, relative to this file.", pattern=r".+", expects="file names",
    )
    pins: dict[str, str | int] = key(
        {}, 'Signal of the contract = "PIN", "!PIN", "PIN[7:0]" or a constant.', expects='a table of SIGNAL = "PIN"',
        shapes=("adapter",),
    )
    power: dict[str, str] = key(
        {}, 'Supply pin of the macro = "NET".', expects='a table of PIN = "NET"',
        shapes=("adapter",),
    )

    def __post_init__(self) -> None:
        check_section(self, "macro.")
        for signal, pin in self.pins.items():
            parse_pin(pin, f"macro.pins.{signal}")
        for pin, net in self.power.items():
            path = f"macro.power.{pin}"
            if not isinstance(net, str) or not re.fullmatch(_IDENTIFIER, net):
                raise ChipError(path, f"{path} must be the name of a net, not {shown(net)}")

    @property
    def connections(self) -> dict[str, PinConnection]:
        """The pins, read: signal of the contract to where it goes."""
        return {signal: parse_pin(pin, f"macro.pins.{signal}") for signal, pin in self.pins.items()}
