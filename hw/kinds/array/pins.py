"""Pins of an array whose columns share converters, as the digital core sees them."""

from collections.abc import Mapping

from amaranth.lib.wiring import In, Out

from mho.hw.core.write_verify import WriteVerifyConfig, write_pins
from mho.hw.kinds.array.config import ArrayCoreConfig
from mho.hw.macro.contract import ContractPins


class ArrayPins(ContractPins):
    """Signature of the macro, seen from the digital side (``Out`` drives the macro).

    Everything that the macro sees comes from flip-flops. A strobe is one cycle long.

    Parameters
    ----------
    cfg
        Configuration of the core.
    write
        Configuration of write-verify; None: cells are programmed from outside.

    Members
    -------
    row_pos, row_neg : Out(lines * digit_bits)
        Digits that rows are driven with, lowest row first: of positive and of negative inputs; never both of a row.
        They change in the cycle behind ``sample``.
    wl_en : Out(lines)
        With ``cfg.word_lines``: those that are on in this product.
    sample : Out(1)
        Strobe: a step begins. Where each step is converted, codes of the step before go to what is read.
    plane : Out
        Number of the step: of the digit, times the groups of rows, and of the group. Its last is 0.
    convert : Out(1)
        Where all steps are converted together. Strobe: what was integrated is converted, from the next sample on
        integration begins anew.
    step_code : Out(16)
        Step of the converters, in 2**-14 of the most that they take.
    op_id : Out(64)
        Number of this product. Left open in silicon.
    capture : Out(1)
        Strobe: codes of the last step go to what is read. The last cycle of a product.
    group : Out
        Group of ``lanes`` columns of weights that is read; ``codes`` are those of the last cycle's group.
    codes : In(lanes * codes * bits)
        Codes of the group, two's complement, lowest column first; of two arrays that of the first is the lower.
    hold : In(1)
        Freezes the sequencer's timer. For slow bodies; 0 in silicon.
    <the members of :class:`mho.hw.macro.write_pins.WritePins`>
        Where the core programs its cells.
    """

    module = "array_macro"
    watched = ("group",)

    def __init__(self, cfg: ArrayCoreConfig, write: WriteVerifyConfig | None = None) -> None:
        self.cfg, self.lines, self.write = cfg, cfg.lines, write
        self.verify_bits = None if write is None else write.verify_bits
        row, word_lines = Out(cfg.lines * cfg.digit_bits), {"wl_en": Out(cfg.rows)} if cfg.word_lines else {}
        super().__init__({
            "row_pos": row, "row_neg": row, **word_lines, "sample": Out(1),
            "plane": Out(max(cfg.drive_steps - 1, 1).bit_length()), **({} if cfg.digital else {"convert": Out(1)}),
            "capture": Out(1), "step_code": Out(16), "op_id": Out(64), "group": Out((cfg.group_rows - 1).bit_length()),
            "codes": In(cfg.lanes * cfg.codes * cfg.converter.bits), "hold": In(1),
            **({} if write is None else write_pins(write).members),
        })

    @property
    def strobes(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """See :class:`ContractPins`."""
        return tuple(name for name in ("sample", "convert", "capture", "verify") if name in self.members)

    @property
    def constants(self) -> Mapping[str, int]:
        """Bits of a digit, groups of rows, whether each step is converted."""
        return {"DIGIT_BITS": self.cfg.digit_bits, "ROW_GROUPS": self.cfg.row_groups, "DIGITAL": int(self.cfg.digital)}

    @property
    def write_names(self) -> tuple[str, ...]:
        """Names of the pins of programming, if there are any."""
        return () if self.write is None else tuple(write_pins(self.write).members)
