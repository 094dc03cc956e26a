"""Reference of the whole core: what it gives, and when, from operations, masks and a model of the macro."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.core.reference import CoreReference
from mho.hw.core.shape import OVERHEAD_CYCLES
from mho.hw.kinds.tnsa.bring_up.trim import trimmed
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MvmOperation


@dataclass(frozen=True)
class Span:
    """Cycles of one operation, counted from the transfer of the first descriptor.

    The first strobe is in cycle ``taken + 1``, ``status.done`` in cycle ``finished + 1``. The last conversion starts
    with ``released``, and the next descriptor is taken in the cycle after.
    """

    taken: int
    released: int
    finished: int

    @property
    def cycles(self) -> int:
        """What ``status.cycles_total`` grows by."""
        return self.finished - self.taken


def timeline(
    cfg: TnsaCoreConfig | Sequence[TnsaCoreConfig], ops: Sequence[MvmOperation], steps: Sequence[Sequence[int]]
) -> list[Span]:
    """When operations run if no stream ever waits and the macro does not hold.

    ``steps`` holds the decrements of each segment of each operation. A core that is trimmed in between has a
    ``cfg`` for each operation.
    """
    result: list[Span] = []
    accepted = free = 0
    cfgs = [cfg] * len(ops) if isinstance(cfg, TnsaCoreConfig) else cfg
    for cfg, op, counts in zip(cfgs, ops, steps, strict=True):
        loaded = accepted + max(cfg.input_words(op) + 1, 4 * cfg.mask_words + 2)
        taken = finished = loaded
        if result and loaded <= result[-1].finished:
            taken = finished = result[-1].finished
        released = taken
        for planes, count in zip(op.segment_planes, counts, strict=True):
            released = finished
            end = finished + int(cfg.segment_cycles(planes, count)) + OVERHEAD_CYCLES
            finished = max(end, free)
        result.append(Span(taken, released, finished))
        accepted, free = released + 1, finished + cfg.output_words + 1
    return result


class TnsaCoreReference(CoreReference):
    """A core at transaction level. See :class:`mho.hw.core.reference.CoreReference`.

    Attributes
    ----------
    now : TnsaCoreConfig
        The configuration with the values that are in force, see :meth:`trim`.
    steps
        Decrements of each operation that ran, one array (segments,) each.
    ops
        These operations.
    """

    def __init__(self, cfg: TnsaCoreConfig, macro: Any) -> None:
        super().__init__(cfg, macro)
        self.now = cfg
        self.ops: list[MvmOperation] = []
        self.steps: list[NDArray[np.int64]] = []
        self._cfgs: list[TnsaCoreConfig] = []
        self._written: dict[str, int] = {}

    @property
    def timing(self) -> TnsaCoreConfig:
        """Durations that are in force."""
        return self.now

    def trim(self, **values: int) -> None:
        """Write durations and limits, by their names in the configuration: in force from the next operation on."""
        self._written |= values
        self.now = trimmed(self.cfg, self._written)

    def operation(self, descriptor: int) -> tuple[MvmOperation, int]:
        """See :func:`mho.hw.core.layout.unpack`; an operation beyond the limits is refused, too."""
        op, op_id = super().operation(descriptor)
        if not self.now.allows(op):
            raise InputError(f"in_bits and out_bits must be at most {self.now.most_in_bits} and "
                             f"{self.now.most_out_bits}, not {op.in_bits} and {op.out_bits}")
        return op, op_id

    def count(self, op: MvmOperation, steps: NDArray[np.int64]) -> None:
        """Count an operation that made these decrements."""
        super().count(op, steps)
        self.ops.append(op)
        self._cfgs.append(self.now)
        self.steps.append(steps)

    def timeline(self) -> list[Span]:
        """When the operations so far ran, see :func:`timeline`."""
        return timeline(self._cfgs, self.ops, [steps.tolist() for steps in self.steps])
