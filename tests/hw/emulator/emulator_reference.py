"""What an emulated core gives, in numpy: what the emulator's Verilog is held to."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.emulator import EmulatorConfig, LineTable
from mho.macro_models.integer.converter import combine_segments, convert
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, Direction, Masks, MvmOperation
from mho.macro_models.integer.shift_register import ShiftRegister


class EmulatorReference:
    """Reference of :class:`~mho.hw.emulator.VectorEmulator`: cells and tables in, codes out.

    Parameters
    ----------
    cfg
        Configuration.
    cells
        Codes ``[bit line, source line]``, of shape (lines, lines).
    """

    def __init__(self, cfg: EmulatorConfig, cells: NDArray[np.integer]) -> None:
        self.cfg = cfg
        self.cells = np.asarray(cells, dtype=np.int64)

    def compute(
        self, op: MvmOperation, masks: Masks, x: NDArray[np.integer], table: LineTable,
        noise: ShiftRegister | None = None, op_id: ArrayLike = 0,
    ) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        """Codes of shape (batch, lines), and decrements that a chip would make, of shape (batch, segments).

        ``noise`` is what was loaded of it, ``op_id`` the number of each vector's first conversion.
        """
        x = np.asarray(x, dtype=np.int64)
        backward = op.direction is Direction.BACKWARD
        levels = x if backward else np.stack([x, -x], axis=-1).reshape(len(x), -1)
        levels = levels * masks.driven(op)
        cells = self.cells.T if backward else self.cells
        parts = [levels]
        if op.segments == 2:
            high = np.sign(levels) * (np.abs(levels) >> LSB_SEGMENT_BITS)
            parts = [high, levels - (high << LSB_SEGMENT_BITS)]
        numbers = np.broadcast_to(np.asarray(op_id, dtype=np.uint64), len(x))
        entries = []
        for segment, part in enumerate(parts):
            # A cell whose word line is off meets an input of 0, or is on a line that gives no code.
            rest = part @ cells + table.offset
            if noise is not None:
                draws = noise.draws(numbers + np.uint64(segment), self.cfg.lines)
                rest = rest + noise.noise((part**2).sum(axis=-1, keepdims=True), draws)
            entries.append(convert(op, 2 * rest + 1, 2 * table.pos, 2 * table.neg, masks.enabled(op)))
        codes = entries[0][0] if op.segments == 1 else combine_segments(entries[0][0], entries[1][0])
        return codes.astype(np.int16), np.stack([steps for _, steps in entries], axis=-1)

    def cycles(self, op: MvmOperation) -> int:
        """Cycles from the start of an operation to the earliest start of the next one in the same direction."""
        return self.cfg.cycles(op)
