"""``[memory]``: what a process has for the memories of the digital side, and the macros that they are put on."""

import re
from dataclasses import dataclass

from mho.hw.config.keys import ChipError, Section, key, shown
from mho.hw.config.macros.pin_map import IDENTIFIER

MEMORY_ROLES = ("clock", "enable", "write", "read", "address", "write_data", "mask", "read_data")
"""Of the pins of a memory macro."""


@dataclass(frozen=True, kw_only=True)
class MemorySection(Section):
    """``[memory]``: what the process has for the memories of the digital side."""

    _name = "memory"
    ports: str = key(
        "two", "Ports of its memories: two, which write and read in one cycle, as flip-flops do; or one, of its SRAM.",
        choices=("two", "one"), shapes=("core", "tile"), later=True,
    )

    files: tuple[str, ...] = key(
        (), "Liberty files (.lib, .lib.gz) of the process's memory macros of one port, relative to this file.",
        pattern=r".+", expects="file names", later=True,
    )
    pins: dict[str, str] = key(
        {}, 'Role = "PIN", "!PIN" if it is low: clock, enable, write, read, address, write_data, mask, read_data.',
        expects='a table of ROLE = "PIN"', entries=("string",), later=True,
    )
    ties: dict[str, int] = key(
        {}, "Other inputs of the macros that are constant: PIN = VALUE; pins of a self-test are 0.",
        expects="a table of PIN = VALUE", entries=("integer",), later=True,
    )
    least_bits: int = key(
        1024, "Bits from which on a memory is on macros; smaller ones are flip-flops.", low=1, high=1_000_000_000,
        later=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.files and self.ports != "one":
            raise ChipError("memory.ports", f'memory.ports must be "one" with memory.files, not {shown(self.ports)}')
        for role, pin in self.pins.items():
            path = f"memory.pins.{role}"
            if role not in MEMORY_ROLES:
                raise ChipError(path, f"unknown key {path}; a memory macro has {', '.join(MEMORY_ROLES)}")
            if not re.fullmatch(rf"!?{IDENTIFIER}", str(pin)):
                raise ChipError(path, f'{path} must be the name of a pin, as "PIN" or "!PIN", not {shown(pin)}')
        for pin, value in self.ties.items():
            path = f"memory.ties.{pin}"
            if not re.fullmatch(IDENTIFIER, pin) or type(value) is not int or not 0 <= value < 1 << 64:
                raise ChipError(path, f"{path} must be a pin with a value of 0 or more, not {shown(value)}")
        lacking = [role for role in MEMORY_ROLES if role not in self.pins and role not in ("enable", "read", "mask")]
        if self.files and lacking:
            raise ChipError("memory.pins", f"memory.pins must have {lacking[0]} beside memory.files")

    @property
    def one_port(self) -> bool:
        """Whether memories write or read in a cycle."""
        return self.ports == "one"
