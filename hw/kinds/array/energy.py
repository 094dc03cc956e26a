"""Energy of the operations of an array whose columns share converters, from its description."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config import Chip
from mho.hw.config.kinds.array import ArrayChip
from mho.hw.kinds.array.config import ArrayCoreConfig
from mho.macro_models.integer.operation import MAX_BITS, Masks, MvmOperation

__all__ = ["ArrayEnergy"]


@dataclass(frozen=True, kw_only=True)
class ArrayEnergy:
    """Energy of operations: rows that are on and conversions by the description, currents of cells by Ohm's law.

    A cell takes ``V**2 G t`` of the voltage of its row's digit while a step lasts. Where nobody says the inputs, digits
    are uniform, and cells those in the mean.
    """

    chip: ArrayChip
    cfg: ArrayCoreConfig

    @classmethod
    def from_chip(cls, chip: Chip) -> "ArrayEnergy":
        """That of a chip's description."""
        return cls(chip=ArrayChip.of(chip), cfg=ArrayCoreConfig.from_chip(chip))

    def operation(self, op: MvmOperation, masks: Masks, steps: ArrayLike) -> Mapping[str, NDArray[np.float64]]:
        """See :class:`mho.hw.kinds.Energy`: ``rows``, ``cells``, ``clamps``, ``conversion``."""
        e, cfg, rows = self.chip.energy, self.cfg, int(masks.word_lines(op).sum())
        columns, digits = int(masks.enabled(op).sum()), -(-op.planes // cfg.digit_bits)
        conversions = columns // cfg.column_lines * cfg.codes * (cfg.steps_of(op) if cfg.digital else 1)
        top = 2**cfg.digit_bits - 1
        # Rows that are on are a whole number of times: of each digit one group after the other.
        mean = (2**op.planes - 1) / 2.0 if cfg.weighted else digits * top * (2 * top + 1) / 6.0
        window_ns = cfg.product_cycles(op) * self._cycle_ns
        by_part = {
            "rows": e.row_pJ * digits * rows,
            "cells": self._cell_pJ * mean * rows * cfg.columns * self.chip.mean_g_uS,
            "clamps": e.clamp_uW * window_ns * columns / 1000.0,
            "conversion": e.conversion_pJ * conversions,
        }
        return {name: np.full(np.shape(steps)[:-1], value) for name, value in by_part.items() if value}

    def weight(self, magnitude: NDArray[np.int64]) -> NDArray[np.int64]:
        """See :class:`mho.hw.kinds.Energy`: squares of the digits, or how long a row is pulsed."""
        if self.cfg.weighted:
            return magnitude
        bits = self.cfg.digit_bits
        digits = (magnitude >> k & (1 << bits) - 1 for k in range(0, MAX_BITS, bits))
        return sum((digit**2 for digit in digits), start=np.zeros_like(magnitude))

    def inputs(
        self, op: MvmOperation, masks: Masks, vectors: int, weights: NDArray[np.int64],
        row_uS: NDArray[np.float64] | None,
    ) -> Mapping[str, float]:
        """See :class:`mho.hw.kinds.Energy`: ``cells``."""
        conductance = self.cfg.columns * self.chip.mean_g_uS if row_uS is None else row_uS
        return {"cells": self._cell_pJ * float((weights * conductance).sum())}

    @property
    def _cycle_ns(self) -> float:
        return 1000.0 / self.chip.clock.f_clk_MHz

    @property
    def _cell_pJ(self) -> float:
        """What 1 uS takes in a step of the lowest digit."""
        volts = self.chip.read.v_read_V / (2**self.cfg.digit_bits - 1)
        return volts**2 * self.cfg.phases[0].cycles * self._cycle_ns / 1000.0
