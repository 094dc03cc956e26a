# amaranth: UnusedElaboratable=no
"""All pins of a macro: those of its products and, where the core programs its cells, those of programming."""

from mho.hw.config import Chip, PulseChip
from mho.hw.config.commands import CommandTable
from mho.hw.kinds.tnsa.command_port import CommandPort, CommandPortConfig
from mho.hw.kinds.tnsa.pins import TnsaPins
from mho.hw.macro.contract import ContractPins, WritePins


class MacroPins(ContractPins):
    """Signature of a whole macro, seen from the digital side (``Out`` drives the macro).

    Parameters
    ----------
    lines
        Bit lines, source lines and word lines of the array.
    verify_bits
        Width of a verify read's code; None: the cells are programmed from outside, and there are no pins for it.

    Members
    -------
    The members of :class:`TnsaPins`, then those of :class:`WritePins`. ``hold`` is one pin for both.
    """

    module = "tnsa_macro"
    strobes = ("precharge", "sample", "compare", "decrement", "verify")

    def __init__(self, lines: int, verify_bits: int | None = None) -> None:
        self.lines = lines
        self.verify_bits = verify_bits
        write = {} if verify_bits is None else dict(WritePins(lines, verify_bits).members)
        super().__init__({**TnsaPins(lines).members, **write})

    @classmethod
    def from_chip(cls, chip: Chip) -> "MacroPins":
        """The pins of a chip's macro."""
        programming = PulseChip.of(chip).programming
        return cls(chip.lines, programming.verify_bits if programming.engine else None)

    @property
    def write_names(self) -> tuple[str, ...]:
        """Names of the pins of programming, if there are any."""
        return () if self.verify_bits is None else tuple(WritePins(self.lines, self.verify_bits).members)

    def command_port(self, table: CommandTable) -> CommandPort:
        """See :class:`ContractPins`."""
        return CommandPort(CommandPortConfig(lines=self.lines, table=table))
