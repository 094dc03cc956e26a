"""Reference of a user's own macro in Verilog: cells that were measured through the core, and an exact converter."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models import MacroConfig, Masks
from mho.macro_models.errors import ToolError
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, STEP_FRACTION_BITS, Direction, MvmOperation
from mho.macro_models.integer.tnsa.converter import combine_segments, convert
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.macro_models.macro import MvmResult
from mho.sim.core.cosim_core import CosimCore

LARGEST = 126
"""Largest conductance code that :func:`measure_cells` can tell: one below the most decrements of a conversion."""

_FEW_CELLS, _OF_A_LINE = 8, 0.7
"""Cells of a line from which on it is looked at alone, and the correlation of its codes and products at least: two
lines of many that are swapped leave that of all cells high."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ExactMacro:
    """The law of a macro without noise, for which networks are compiled, on any cells.

    A line's charge is ``2 a + 1`` for the accumulated product a of codes of inputs and cells; a decrement takes
    ``2 max(1, rint(step_code * 2**-14 * load)) << dec_scale``. The load is that of the configuration: the sum of the
    codes of a line's cells whose word line is on, or 2**14 behind a command port.
    """

    config: Any
    """What the kind takes from the chip."""
    cells: NDArray[np.int64]
    """Conductance codes, ``[bit line, source line]``."""
    binary: bool = True
    """Whether the macro has the weights of decrements that binary search needs."""

    def supports(self, op: MvmOperation) -> bool:
        """Whether the macro carries out such operations."""
        return self.binary or not TnsaOperation.of(op).binary

    def _held(self, op: MvmOperation, masks: Masks) -> NDArray[np.int64]:
        """Cells that are on, ``[driven line, converted line]``."""
        cells = self.cells * masks.word_lines(op)[:, None]
        return cells if op.direction is Direction.FORWARD else cells.T

    def products(self, op: MvmOperation, masks: Masks, x: NDArray[np.integer]) -> NDArray[np.int64]:
        """Accumulated products of codes of shape (batch, inputs): shape (batch, lines)."""
        lines = np.stack([x, -x], axis=2).reshape(len(x), -1) if op.direction is Direction.FORWARD else x
        return lines * masks.driven(op) @ self._held(op, masks)

    def load(self, op: MvmOperation, masks: Masks) -> NDArray[Any]:
        """What decrements are fractions of, in codes, of shape (lines,)."""
        return self.config.load(self._held(op, masks), axis=0, unit_uS=self.config.lsb_uS)

    def full_scale(self, op: MvmOperation, masks: Masks, x: ArrayLike) -> float:
        """Step code at which the largest product of a batch counts just to the end of the converter's range."""
        load = np.maximum(self.load(op, masks), 1)
        largest = max((np.abs(self.products(op, masks, part)) / load).max() for part in _segments(op, np.asarray(x)))
        return float(largest) * 2**STEP_FRACTION_BITS / max(op.max_steps, 1)

    def mvm(self, op: MvmOperation, masks: Masks, x: ArrayLike, op_id: ArrayLike) -> MvmResult:
        """Codes and decrements of a batch; see :meth:`mho.macro_models.macro.MacroModel.mvm`."""
        half = np.rint(op.step_code * 2.0**-STEP_FRACTION_BITS * self.load(op, masks))
        step = 2 * np.maximum(1, half).astype(np.int64)
        parts = [
            convert(TnsaOperation.of(op), 2 * self.products(op, masks, part) + 1, step, step, masks.enabled(op))
            for part in _segments(op, np.asarray(x))
        ]
        codes = parts[0][0] if len(parts) == 1 else combine_segments(parts[0][0], parts[1][0])
        return MvmResult(codes.astype(np.int16), np.stack([steps for _, steps in parts], axis=1))


def _segments(op: MvmOperation, x: NDArray[np.integer]) -> list[NDArray[np.int64]]:
    """Inputs of each conversion, the most significant first."""
    if op.segments == 1:
        return [x.astype(np.int64)]
    high = np.sign(x) * (np.abs(x) >> LSB_SEGMENT_BITS)
    return [high.astype(np.int64), (x - (high << LSB_SEGMENT_BITS)).astype(np.int64)]


def measure_cells(core: CosimCore, config: MacroConfig) -> NDArray[np.int64]:
    """Conductance codes of the cells behind the pins, one bit line at a time: ``[bit line, source line]``.

    Raises ToolError if a code is above :data:`LARGEST` or below 0.
    """
    lines, absent, rows = config.cell_map.shape[0], config.cell_map.absent, []
    op = TnsaOperation(direction=Direction.FORWARD, in_bits=2, in_signed=True, out_bits=8, step_code=1)
    on, off = np.ones(lines, dtype=bool), np.zeros(lines, dtype=bool)
    for line in range(lines):
        x = np.zeros((1, config.inputs(Direction.FORWARD)), dtype=np.int64)
        x[0, line // 2] = -1 if line % 2 else 1
        masks = Masks(np.arange(lines) == line, on, off, off)
        codes = core.run(op, masks.without(*absent), x, 0).codes[0].astype(np.int64)
        if codes.min() < 0 or codes.max() > 2 * LARGEST + 1:
            at = int(np.argmax(np.abs(codes)))
            raise ToolError(
                f"the macro's model: the cell of bit line {line} and source line {at} must have a conductance code of "
                f"0 to {LARGEST}, and a product with 1 gives code {codes[at]} in half steps"
            )
        rows.append(codes // 2)
    return np.array(rows)


def require_programmed(
    codes: NDArray[np.int64], products: NDArray[np.int64], done: NDArray[np.bool_], present: NDArray[np.bool_]
) -> str:
    """Whether the cells that were programmed are those that multiply, all [bit line, source line]: how, in words.

    Raises ToolError if they are not, or next to none was programmed.
    """
    if done[present].mean() < 0.5:
        given_up = int((present & ~done).sum())
        raise ToolError(f"write-verify must bring most cells to their targets, and it gave up {given_up} cells")
    done = done & present
    if np.array_equal(codes[done], products[done]):
        return "the verify codes are the codes that multiply"
    alike = _alike(codes[done], products[done])
    lines = [
        (_alike(codes[at], products[at]), f" of {name} {line}") for name, axes in (("bit line", 0), ("source line", 1))
        for line, at in enumerate(_each_line(done, axes)) if at[0].size >= _FEW_CELLS
    ]
    worst, where = min(lines, default=(1.0, ""))
    if not alike > 0.9 or worst < _OF_A_LINE:
        worst, where = (worst, where) if alike > 0.9 else (alike, "")
        raise ToolError(
            f"the cells that are programmed must be those that multiply: verify codes and products{where} agree by "
            f"{worst:.2f} only"
        )
    return f"verify codes and products agree by a correlation of {alike:.3f}"


def _alike(codes: NDArray[np.int64], products: NDArray[np.int64]) -> float:
    return float(np.corrcoef(codes, products)[0, 1]) if products.std() and codes.std() else 0.0


def _each_line(cells: NDArray[np.bool_], axis: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Places of the cells that are on, of each line."""
    places = np.nonzero(cells)
    return [(places[0][on], places[1][on]) for on in (places[axis] == k for k in range(cells.shape[axis]))]
