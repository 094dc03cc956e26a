"""Energy of the operations of a transposable macro, from the energies of its description."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config import Chip
from mho.hw.config.kinds.tnsa import TnsaChip
from mho.macro_models.integer.operation import Masks, MvmOperation


@dataclass(frozen=True, kw_only=True)
class TnsaEnergy:
    """Energy of operations, as a product of what the description knows and how often it happens.

    Word lines that are on count once a plane. Driven lines count once for each digit of their input that is not 0, with
    the charge of the line and that through its cells; where nobody says the inputs, half of the digits are, and cells
    are those in the mean. Converters of all enabled lines count until the last one has flipped.
    """

    chip: TnsaChip

    @classmethod
    def from_chip(cls, chip: Chip) -> "TnsaEnergy":
        """That of a chip's description."""
        return cls(chip=TnsaChip.of(chip))

    def operation(self, op: MvmOperation, masks: Masks, steps: ArrayLike) -> Mapping[str, NDArray[np.float64]]:
        """See :class:`mho.hw.kinds.Energy`: ``word lines``, ``input pulses``, ``reset``, ``samples``, ``steps``."""
        counted = np.asarray(steps, dtype=np.int64)
        if counted.shape[-1:] != (op.segments,):
            raise ValueError(f"Steps must have shape (..., {op.segments}), not {counted.shape!r}")
        e, planes = self.chip.energy, sum(op.segment_planes)
        converters = int(masks.enabled(op).sum())
        samples = sum(2**count - 1 for count in op.segment_planes)
        by_part = {
            "word lines": e.word_line_pJ * planes * int(masks.word_lines(op).sum()),
            "input pulses": e.input_pulse_pJ * planes * int(masks.driven(op).sum()),
            "reset": e.reset_pJ * op.segments * converters,
            "samples": e.sample_pJ * samples * converters,
        }
        shape = counted.shape[:-1]
        energies = {name: np.full(shape, value) for name, value in by_part.items() if value}
        if e.step_pJ:
            energies["steps"] = np.asarray(e.step_pJ * converters * counted.sum(axis=-1))
        return energies

    def weight(self, magnitude: NDArray[np.int64]) -> NDArray[np.int64]:
        """See :class:`mho.hw.kinds.Energy`: digits that are not 0, which planes drive one after the other."""
        return sum((magnitude >> k & 1 for k in range(8)), start=np.zeros_like(magnitude))

    def inputs(
        self, op: MvmOperation, masks: Masks, vectors: int, weights: NDArray[np.int64],
        row_uS: NDArray[np.float64] | None,
    ) -> Mapping[str, float]:
        """See :class:`mho.hw.kinds.Energy`: ``input pulses``."""
        chip, mean = self.chip, self.chip.pulse_load()
        loads = 2.0 * mean if row_uS is None else chip.line_fF + np.array([chip.pulse_load(g) for g in row_uS])
        pulses = 2.0 * chip.energy.input_pulse_pJ * float((weights * loads / mean).sum())
        return {"input pulses": pulses} if chip.energy.input_pulse_pJ else {}
