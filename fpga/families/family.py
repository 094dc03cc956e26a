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
    """A family of FPGAs with open tools. Names of files are without their first part, which is that of the design.

    Attributes
    ----------
    name
        As in Yosys.
    steps
        Tools of synthesis, of place and route, and of the bitstream.
    packages
        Package of the system that has each of them; those without one come as Python packages only.
    packaged
        What the tools are called in Python packages, where that is not their name after ``yowasp-``.
    versions
        Option by which a tool says its version.
    netlist, constraints, placed, bitstream
        Suffixes of what is handed from tool to tool.
    place, pack
        Options with names of files; ``{name}`` is that of the design.
    find_loop
        Dividers for exactly one frequency out of another; refuses by :class:`mho.macro_models.errors.InputError`.
    device_in
        Name of the device that a bitstream is for, from its bytes; None if it is of another family.
    keeps
        Whether loading writes to the flash memory always.
    models, own_cells
        File in ``fpga/hdl`` with models of cells for Verilator, and the cells that it has; all others are Yosys's.
    model_options
        Options of Verilator for the models of Yosys.
    """

    name: str
    steps: tuple[str, str, str]
    packages: Mapping[str, str]
    packaged: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str]
    netlist: str = ".json"
    constraints: str
    placed: str
    bitstream: str
    place: tuple[str, ...]
    pack: tuple[str, ...]
    find_loop: Callable[[int, int], Loop]
    device_in: Callable[[bytes], str | None]
    keeps: bool = False
    models: str
    own_cells: tuple[str, ...]
    model_options: tuple[str, ...] = ()
