"""What every kind of macro has at its pins: a signature, a name, and, if the core programs its cells, pins for that."""

from collections.abc import Mapping
from typing import ClassVar

from amaranth.lib import wiring

from mho.hw.config.commands import CommandTable
from mho.hw.ports import SizedSignature


def command_members(table: CommandTable) -> dict[str, tuple[int, bool]]:
    """Signals of a macro that takes commands: width, and whether the macro drives the signal."""
    return {
        "request": (1, False), "command": (table.command_bits, False), "data": (table.data_bits, False),
        "done": (1, True), "code": (table.code_bits * table.codes, True),
    }


class ContractPins(SizedSignature):
    """Signature of a macro, seen from the digital side (``Out`` drives the macro); a kind has a class of its own.

    Members have shapes that are numbers of bits. ``clk`` is not among them.

    Attributes
    ----------
    module
        Module that stands behind the adapter where a chip names no macro of its own.
    lines
        Lines of the array each way, as the chip description counts them.
    verify_bits
        Width of a verify read's code; None if cells are not programmed at these pins one by one.
    strobes
        Pins of one bit that are 1 for a cycle at the start of an operation, by which a macro may ask to be waited for.
        A model behind the pins is asked in each cycle in which one is 1.
    watched
        Pins at whose changes a model is asked as well: what is written and what is read beside operations.
    pulses
        The same of pins whose widths mean something: cycles are counted while one of them is 1.
    constants
        Numbers that a model behind the pins is told.
    write_names
        Names of the pins of programming.
    """

    module: ClassVar[str]
    strobes: ClassVar[tuple[str, ...]] = ()
    watched: ClassVar[tuple[str, ...]] = ()
    pulses: ClassVar[tuple[str, ...]] = ()
    lines: int
    verify_bits: int | None = None

    @property
    def constants(self) -> Mapping[str, int]:
        """Numbers that a model behind the pins is told: none."""
        return {}

    @property
    def write_names(self) -> tuple[str, ...]:
        """Names of the pins of programming, if there are any."""
        return ()

    def command_port(self, table: CommandTable) -> wiring.Component | None:
        """What stands between these pins and a macro that takes commands, whose signals are :func:`command_members`.

        Its other members are the pins that it needs. None: macros of the kind take none.
        """
        return None
