"""When the operations of a core run, if no stream ever waits: what the hardware is held to, cycle by cycle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.core.shape import OVERHEAD_CYCLES
from mho.hw.kinds.tnsa.blocks import TnsaCoreReference
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models.integer.tnsa.operation import TnsaOperation


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
    cfg: TnsaCoreConfig | Sequence[TnsaCoreConfig], ops: Sequence[TnsaOperation], steps: Sequence[Sequence[int]]
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
        start = finished = loaded
        if result and loaded <= result[-1].finished:
            start = finished = result[-1].finished
        released = start
        for planes, count in zip(op.segment_planes, counts, strict=True):
            released = finished
            end = finished + int(cfg.segment_cycles(planes, count)) + OVERHEAD_CYCLES
            finished = max(end, free)
        result.append(Span(start, released, finished))
        accepted, free = released + 1, finished + cfg.output_words + 1
    return result


class TimedReference(TnsaCoreReference):
    """A reference that keeps what ran: operations, their decrements of shape (segments,), and durations in force."""

    def __init__(self, cfg: TnsaCoreConfig, macro: Any) -> None:
        super().__init__(cfg, macro)
        self.ops: list[TnsaOperation] = []
        self.steps: list[NDArray[np.int64]] = []
        self._cfgs: list[TnsaCoreConfig] = []

    def count(self, op: TnsaOperation, steps: NDArray[np.int64]) -> None:
        super().count(op, steps)
        self.ops.append(op)
        self._cfgs.append(self.now)
        self.steps.append(steps)

    def timeline(self) -> list[Span]:
        """When the operations so far ran, see :func:`timeline`."""
        return timeline(self._cfgs, self.ops, [steps.tolist() for steps in self.steps])
