"""The ideal phase-change macro of generated designs in Python, as commands of a core see it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.macro_models.integer.pwm.converter import LEVEL_BITS, Trim
from mho.macro_models.pwm.config import PwmConfig
from mho.macro_models.types import Integers
from mho.rtl_gen.pwm.model import ideal_counts, weight, window_charges

__all__ = ["IdealMacro"]


@dataclass(kw_only=True, eq=False)
class IdealMacro:
    """Of :func:`mho.rtl_gen.pwm.model.write_pwm_model`, for a ``CommandReference`` of :mod:`mho.hw.kinds.pwm.engine`.

    Reference currents count their quarters of the highest frequency, less the last two bits of the column. A device
    counts 255 less the amplitude of its last pulse, whatever the step code.

    Attributes
    ----------
    config, calibration, windows
        What commands need of a macro, see :class:`mho.hw.kinds.pwm.engine.reference.CommandReference`.
    cells
        Counts of the devices, ``[driven line, column]``.
    """

    config: PwmConfig
    weights: Integers
    cells: Integers
    windows: int
    calibration: object = None

    @classmethod
    def from_chip(cls, chip: Chip) -> "IdealMacro":
        """The macro of a chip."""
        cfg, n = PwmCoreConfig.from_chip(chip), chip.lines
        return cls(
            config=PwmChip.of(chip).macro_config(), windows=1 if cfg.phases == 1 else 2,
            weights=np.array([[weight(row, column) for column in range(n)] for row in range(n)]),
            cells=np.zeros((cfg.mask_lines, n), dtype=np.int64),
        )

    def reference_counts(
        self, trim: Trim, positive: int, negative: int, op_id: NDArray[np.uint64]
    ) -> tuple[Integers, Integers]:
        """Counters of conversions of reference currents, (conversions, columns) each."""
        top, columns = self.config.top_counts, np.arange(self.config.lines)

        def counted(level: int) -> Integers:
            quarter = level // ((top << LEVEL_BITS) // 4)
            counts = np.maximum(self.windows * (top // 4) * quarter - columns % 4, 0) if quarter else 0 * columns
            return np.broadcast_to(counts, (len(op_id), len(columns)))

        return counted(positive), counted(negative)

    def read_vector(self, x: Integers, numbers: NDArray[np.uint64], step_code: int) -> Integers:
        """Differences of the counters of a vector, the same in all reads, (reads, columns)."""
        positive, negative = (
            ideal_counts(self.config, charges, step_code) for charges in window_charges(x, self.weights, self.windows)
        )
        return np.broadcast_to(positive - negative, (len(numbers), len(positive)))

    def pulse(self, line: int, amplitude: Integers, on: NDArray[np.bool_]) -> None:
        """Pulse the devices of a driven line in the columns ``on``."""
        self.cells[line] = np.where(on, 255 - amplitude, self.cells[line])

    def read_numbered(self, line: int, number: int, step_code: int) -> Integers:
        """Counts of the devices of a driven line."""
        return self.cells[line].copy()
