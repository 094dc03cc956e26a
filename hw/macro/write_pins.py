"""Pins with which a macro's cells are programmed and read back, as the digital core sees them.

A macro has them beside those of products. All come from flip-flops, so that a cell sees no glitches.
"""

from amaranth.lib.wiring import In, Out

from mho.hw.ports import SizedSignature
from mho.macro_models.integer.pulse import AMPLITUDE_BITS

PASS_BITS = 4
"""Width of the number of a pass."""

ENABLE = In(1, init=1)  # pyright: ignore[reportCallIssue]
"""The pin that enables programming; 1 where nothing drives it."""


class WritePins(SizedSignature):
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

    Members
    -------
    write_mode : Out(1)
        The array belongs to write-verify: the drivers below own the lines, the converters are cut off.
    write_wl, write_bl : Out(lines)
    write_sl : Out(columns)
        Selected word line, bit line and source line. The other lines are inhibited.
    bias_rows, bias_columns : Out(8)
        With ``biased``: voltages of bit lines and source lines that are not selected while a pulse is on, in steps of
        the pulse converter; in verify reads they are at 0 V. Stable from the begin of a pulse to its end.
    set_pulse, reset_pulse, form_pulse : Out(1)
        High for the width of a pulse: SET and FORM drive the selected bit line with the amplitude and ground the source
        line, RESET the other way round. Between two pulses all of them are low.
    amplitude : Out(8)
        Amplitude of the pulse in steps of the pulse converter. Stable from the setup time before the pulse to its end.
    verify : Out(1)
        Strobe of one cycle: read the conductance of the selected cell.
    write_pass : Out(4)
        Number of the pass over the array, from 0. Left open in silicon; a model lets its cells relax when it changes.
    verify_code : In(verify_bits)
        Conductance in steps of the verify converter, of which the largest is the full scale.
    verify_valid : In(1)
        ``verify_code`` is valid. Looked at from the end of the verify time on; a converter of fixed latency ties it
        to 1.
    """

    def __init__(self, lines: int, verify_bits: int, columns: int | None = None, *, biased: bool = False) -> None:
        self.lines, self.columns, self.verify_bits, self.biased = lines, columns or lines, verify_bits, biased
        bias = Out(AMPLITUDE_BITS)
        super().__init__({
            "write_mode": Out(1),
            **({} if biased else {"write_wl": Out(lines)}), "write_bl": Out(lines), "write_sl": Out(self.columns),
            **({"bias_rows": bias, "bias_columns": bias} if biased else {}),
            "set_pulse": Out(1), "reset_pulse": Out(1), "form_pulse": Out(1), "amplitude": Out(AMPLITUDE_BITS),
            "verify": Out(1), "write_pass": Out(PASS_BITS),
            "verify_code": In(verify_bits), "verify_valid": In(1),
        })
