"""What there is to know about a family of FPGAs: its tools, its files, its clock and how its cells are simulated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from amaranth.hdl import Instance, Module, Signal
from amaranth.lib.io import SingleEndedPort


class Loop(Protocol):
    """Dividers of a phase-locked loop."""

    def instance(self, m: Module, port: SingleEndedPort, out: Signal, locked: Signal, *, pad: bool) -> Instance:
        """The loop, fed by the pin of ``port``; with ``pad`` that pin is the one that belongs to the loop."""
        ...


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of FPGAs with open tools. Names of files are without their first part, which is that of the design."""

    name: str
    """As in Yosys."""
    steps: tuple[str, str, str]
    """Tools of synthesis, of place and route, and of the bitstream."""
    packages: Mapping[str, str]
    """Package of the system that has each of them; those without one come as Python packages only."""
    packaged: Mapping[str, str] = field(default_factory=dict)
    """What the tools are called in Python packages, where that is not their name after ``yowasp-``."""
    versions: Mapping[str, str]
    """Option by which a tool says its version."""
    netlist: str = ".json"
    constraints: str
    placed: str
    bitstream: str
    """Suffixes of what is handed from tool to tool."""
    place: tuple[str, ...]
    pack: tuple[str, ...]
    """Options with names of files; ``{name}`` is that of the design."""
    find_loop: Callable[[int, int], Loop]
    """Dividers for exactly one frequency out of another; refuses by :class:`mho.macro_models.errors.InputError`."""
    device_in: Callable[[bytes], str | None]
    """Name of the device that a bitstream is for, from its bytes; None if it is of another family."""
    keeps: bool = False
    """Whether loading writes to the flash memory always."""
    models: str
    own_cells: tuple[str, ...]
    """File in ``fpga/hdl`` with models of cells for Verilator, and the cells that it has; all others are Yosys's."""
    model_options: tuple[str, ...] = ()
    """Options of Verilator for the models of Yosys."""
