"""What every kind of macro has at its pins: a signature, a name, and, if the core programs its cells, pins for that.

A macro has them beside those of products. All come from flip-flops, so that a cell sees no glitches.
"""

from collections.abc import Mapping
from typing import ClassVar

from amaranth.lib import wiring

from mho.hw.config.macros.commands import CommandTable
from mho.hw.ports import Bundle, In, Out
from mho.macro_models.integer.pulse import AMPLITUDE_BITS


def command_members(table: CommandTable) -> dict[str, tuple[int, bool]]:
    """Signals of a macro that takes commands: width, and whether the macro drives the signal."""
    return {
        "request": (1, False), "command": (table.command_bits, False), "data": (table.data_bits, False),
        "done": (1, True), "code": (table.code_bits * table.codes, True),
    }


class ContractPins(Bundle):
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
    tables
        Pins of the macro that show a word of a table, and the pin that said in the cycle before which one. A model
        answers with all of the table, its first word lowest.
    constants
        Numbers that a model behind the pins is told.
    write_names
        Names of the pins of programming.
    """

    module: ClassVar[str]
    strobes: ClassVar[tuple[str, ...]] = ()
    watched: ClassVar[tuple[str, ...]] = ()
    pulses: ClassVar[tuple[str, ...]] = ()
    tables: ClassVar[Mapping[str, str]] = {}
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


PASS_BITS = 4
"""Width of the number of a pass."""

ENABLE = wiring.In(1, init=1)  # pyright: ignore[reportCallIssue]
"""The pin that enables programming; 1 where nothing drives it."""


class WritePins(Bundle):
    """Signature of the programming side of a macro, seen from the digital side (``Out`` drives the macro).

    Parameters
    ----------
    lines
        Bit lines and word lines of the array.
    verify_bits
        Width of a verify read's code.
    columns
        Source lines; None: as many.
    biased
        Cells have no transistors, so that there are no word lines, and lines that are not selected have a voltage.
    floats
        In verify reads these lines float.
    """

    write_mode = Out(1)
    """The array belongs to write-verify: the drivers below own the lines, the converters are cut off."""
    write_wl = Out(lambda self: self.lines, when=lambda self: not self.biased)
    write_bl = Out(lambda self: self.lines)
    write_sl = Out(lambda self: self.columns)
    """Selected word line, bit line and source line. The other lines are inhibited."""
    bias_rows = Out(AMPLITUDE_BITS, when=lambda self: self.biased)
    bias_columns = Out(AMPLITUDE_BITS, when=lambda self: self.biased)
    """Voltages of bit lines and source lines that are not selected while a pulse is on, in steps of the pulse
    converter; in verify reads they are at 0 V. Stable from the begin of a pulse to its end."""
    float_lines = Out(1, when=lambda self: self.floats)
    """These lines float instead: high from ``verify`` to the cycle in which the code is taken."""
    set_pulse = Out(1)
    reset_pulse = Out(1)
    form_pulse = Out(1)
    """High for the width of a pulse: SET and FORM drive the selected bit line with the amplitude and ground the source
    line, RESET the other way round. Between two pulses all of them are low."""
    amplitude = Out(AMPLITUDE_BITS)
    """Amplitude of the pulse in steps of the pulse converter. Stable from the setup time before it to its end."""
    verify = Out(1)
    """Strobe of one cycle: read the conductance of the selected cell."""
    write_pass = Out(PASS_BITS)
    """Number of the pass over the array, from 0. Left open in silicon; a model lets its cells relax when it changes."""
    verify_code = In(lambda self: self.verify_bits)
    """Conductance in steps of the verify converter, of which the largest is the full scale."""
    verify_valid = In(1)
    """``verify_code`` is valid. Looked at from the end of the verify time on; a converter of fixed latency ties it
    to 1."""

    def __init__(
        self, lines: int, verify_bits: int, columns: int | None = None, *, biased: bool = False, floats: bool = False
    ) -> None:
        self.lines, self.columns, self.verify_bits = lines, columns or lines, verify_bits
        self.biased, self.floats = biased, floats
        super().__init__()
