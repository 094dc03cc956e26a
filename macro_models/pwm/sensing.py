"""What conversions of a phase-change core see of its array, the charges that they integrate, and bound products."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.arrays import product as exact_product
from mho.macro_models.integer.pwm.calibration import Calibration
from mho.macro_models.integer.pwm.converter import COUNT_BITS, GAIN_ONE, PARTS, Oscillators, Whole
from mho.macro_models.integer.pwm.operation import PwmOperation
from mho.macro_models.integer.random import LANES, NORMAL_ONE, Purpose, normal_blocks, normal_codes
from mho.macro_models.macro import MvmResult
from mho.macro_models.pwm.config import PwmConfig
from mho.macro_models.types import Array, Flags, Integers, Integral, Reals

_RAW_GAINS = 0.52, 4.0
"""Cut where the trim register ends: what it could not bring back is no converter."""
_GAINS = 0.1, 4.0


def made_oscillators(config: PwmConfig, seed: int, core: int) -> Oscillators:
    """Those of one core of a chip."""
    n = config.lines

    def normals(purpose: Purpose, sigma: float, items: int = 2 * n) -> Reals:
        if sigma == 0.0:
            return np.zeros((items // n, n))
        z = normal_codes(purpose, seed=seed, core=core, items=items)
        return sigma / NORMAL_ONE * z.reshape(-1, n).astype(np.float64)

    seen_by_calibration = np.sqrt(config.sigma_gain**2 - config.sigma_residual**2)
    reference = np.clip(1.0 + normals(Purpose.CONVERTER_GAIN, seen_by_calibration), *_RAW_GAINS)
    array = np.clip(reference * (1.0 + normals(Purpose.CONVERTER_RESIDUAL, config.sigma_residual, n)), *_GAINS)
    curvature = config.curvature + normals(Purpose.CONVERTER_CURVE, config.sigma_curvature)
    offset = normals(Purpose.CONVERTER_OFFSET, config.sigma_offset)

    def fixed(values: Reals, unit: int) -> Integers:
        return np.rint(values * unit).astype(np.int64)

    return Oscillators(
        gain=fixed(array, GAIN_ONE), reference_gain=fixed(reference, GAIN_ONE), curvature=fixed(curvature, GAIN_ONE),
        offset=fixed(offset, 1 << COUNT_BITS), top=config.top_counts,
    )

WINDOWS = tuple(part for side in PARTS for part in side)
"""(sign of the inputs, sign of the devices) of each of four windows."""

def lines_of(blocks: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Lines of some blocks of draws."""
    return (blocks.astype(np.intp)[:, None] * LANES + np.arange(LANES)).ravel()


@dataclass(frozen=True, eq=False)
class Key:
    """What conversions with some word lines on see of the array."""

    devices: tuple[Reals, Reals]
    """Codes of the devices of each sign together, positive first, of shape (rows, columns); 0 where a row is off.
    Integers in double precision: every sum below is exact."""
    variances: tuple[Reals, Reals] | None
    """Their read noise in ``unit``, of the same shapes; None without."""
    unit: float
    """Of the variances, such that the root of a sum multiplies normal codes."""
    blocks: NDArray[np.uint64]
    """Blocks of eight columns of the core that the columns are; all of the core's if nothing was left out."""

    @cached_property
    def _apart(self) -> Reals:
        """Positive less negative devices."""
        return self.devices[0] - self.devices[1]

    @cached_property
    def _variance(self) -> Reals:
        """Variances of both."""
        assert self.variances is not None
        return self.variances[0] + self.variances[1]

    def narrow(self, rows: Integral, taken: Integral, inputs: int, blocks: Any) -> "Key":
        """With inputs that several ``rows`` take, ``taken`` by each, added up, and only some blocks of columns."""
        columns = lines_of(blocks)

        def folded(of: tuple[Reals, Reals]) -> tuple[Reals, Reals]:
            folded_sides = np.zeros((2, inputs, len(columns)))
            for sign in (0, 1):
                np.add.at(folded_sides[sign], taken, of[sign][np.ix_(rows, columns)])
            return folded_sides[0], folded_sides[1]

        variances = None if self.variances is None else folded(self.variances)
        return Key(folded(self.devices), variances, self.unit, blocks)

    def charges(self, x: Reals, op_id: NDArray[np.uint64], phases: int, seed: int, core: int) -> Reals:
        """Accumulated products of the windows, read noise included, of shape (windows, batch, columns).

        ``x`` has shape (batch, rows). Of four windows the products are at least 0, in the order of :data:`WINDOWS`:
        both of the positive oscillators, then both of the negative ones; one window has a sign.
        """
        if phases == 1:
            product = exact_product(x, self._apart)
            if self.variances is not None:
                product += self._noise(exact_product(x * x, self._variance), op_id, 0, seed, core)
            return product[None]
        driven = {1: np.maximum(x, 0.0), -1: np.maximum(-x, 0.0)}
        windows = np.zeros((len(WINDOWS), len(x), self.devices[0].shape[1]))
        for k, (sign, devices) in enumerate(WINDOWS):
            if not driven[sign].any():
                continue
            windows[k] = exact_product(driven[sign], self.devices[devices < 0])
            if self.variances is not None:
                variance = exact_product(driven[sign] ** 2, self.variances[devices < 0])
                windows[k] += self._noise(variance, op_id, k, seed, core)
        return np.maximum(windows, 0.0, out=windows)

    def _noise(self, variance: Reals, op_id: NDArray[np.uint64], window: int, seed: int, core: int) -> Reals:
        """Read noise of a window from the sums of the variances, in accumulated products, whole numbers."""
        z = normal_blocks(
            Purpose.READ_NOISE, seed=seed, core=core, block=self.blocks, op_id=op_id[:, None], step=window
        )
        variance *= self.unit
        np.sqrt(variance, out=variance)
        variance *= z.reshape(variance.shape)
        return np.rint(variance, out=variance)

Count = Callable[[Key, Array, NDArray[np.uint64], int, Oscillators, Flags], tuple[Whole, Whole]]
"""Counters of conversions: (key, inputs, their numbers, step code at the pins, oscillators of the columns, which of
them clipped)."""
_CODES = 1 << 15  # of a block of vectors: what is alive fits into the second-level cache


class NarrowProduct:
    """Products of one core.

    Parameters
    ----------
    count, key, oscillators
        What counts, what it sees of the array, and the trimmed oscillators of the core.
    op, enabled, calibration
        The operation, which columns it converts, and the registers that correct converters.
    rows, taken, inputs, columns
        As of :meth:`mho.macro_models.macro.MacroModel.bind`.
    """

    def __init__(
        self, count: Count, op: PwmOperation, key: Key, enabled: Flags, oscillators: Oscillators,
        calibration: Calibration, *, rows: Integral, taken: Integral, inputs: int,
        columns: Integral,
    ) -> None:
        blocks = np.unique(columns // LANES).astype(np.uint64)
        lines = lines_of(blocks)
        self._count, self._op, self._step_code = count, op, calibration.step_code(op.step_code)
        self._key = key.narrow(rows, taken, inputs, blocks)
        self._oscillators, self._digital = oscillators.take(lines), calibration.digital.take(lines)
        self._enabled, self._pick = enabled[lines], np.searchsorted(lines, columns)

    def compute(self, x: Array, op_id: NDArray[np.uint64]) -> MvmResult:
        """See :meth:`mho.macro_models.macro.BoundProduct.compute`."""
        codes = np.empty((len(x), len(self._enabled)), dtype=np.int16)
        clipped = np.zeros(codes.shape, dtype=np.bool_)
        size = max(16, _CODES // len(self._enabled))
        for start in range(0, len(x), size):
            block = slice(start, start + size)
            counted = self._count(self._key, x[block], op_id[block], self._step_code, self._oscillators, clipped[block])
            codes[block] = self._digital.compute(self._op, *counted, self._enabled)
        same = len(self._pick) == codes.shape[1] and bool((np.diff(self._pick) == 1).all())
        steps, beyond = np.zeros((len(x), 1), dtype=np.int64), (clipped & self._enabled)[:, self._pick].sum(axis=1)
        return MvmResult(codes if same else codes[:, self._pick], steps, clipped=beyond)
