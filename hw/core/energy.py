"""Energy of the operations of a transposable macro, from the energies of its description."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.config import Chip
from hw.config.kinds.tnsa import TnsaChip, TnsaEnergySection
from macro_models.exact.masks import Masks
from macro_models.exact.operation import MvmOperation

__all__ = ["CoreEnergy"]


@dataclass(frozen=True, kw_only=True)
class CoreEnergy:
    """Energy of operations, as a product of what the description knows and how often it happens.

    Word lines that are on and driven lines count once a plane, whatever the input: the published energies, from which
    presets have theirs, are means over inputs. Converters of all enabled lines count until the last one has flipped.
    """

    energies: TnsaEnergySection

    @classmethod
    def from_chip(cls, chip: Chip) -> "CoreEnergy":
        """That of a chip's description."""
        return cls(energies=TnsaChip.of(chip).energy)

    def operation(self, op: MvmOperation, masks: Masks, steps: ArrayLike) -> Mapping[str, NDArray[np.float64]]:
        """See :class:`hw.kinds.Energy`: ``word lines``, ``input pulses``, ``reset``, ``samples``, ``steps``."""
        counted = np.asarray(steps, dtype=np.int64)
        if counted.shape[-1:] != (op.segments,):
            raise ValueError(f"Steps must have shape (..., {op.segments}), not {counted.shape!r}")
        e, planes = self.energies, sum(op.segment_planes)
        converters = int(masks.enabled(op).sum())
        samples = sum(2**count - 1 for count in op.segment_planes)
        each = {
            "word lines": e.word_line_pJ * planes * int(masks.word_lines(op).sum()),
            "input pulses": e.input_pulse_pJ * planes * int(masks.driven(op).sum()),
            "reset": e.reset_pJ * op.segments * converters,
            "samples": e.sample_pJ * samples * converters,
        }
        shape = counted.shape[:-1]
        found = {name: np.full(shape, value) for name, value in each.items() if value}
        if e.step_pJ:
            found["steps"] = np.asarray(e.step_pJ * converters * counted.sum(axis=-1))
        return found
