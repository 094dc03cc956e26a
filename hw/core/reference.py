"""Reference of the whole core: what it gives, and when, from operations, masks and a model of the macro."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mho.hw.core.bring_up.trim import trimmed
from mho.hw.core.config import OVERHEAD_CYCLES, CoreConfig
from mho.hw.core.inputs.loader import unpack_inputs
from mho.hw.core.inputs.masks import MaskFile, MaskLayout
from mho.hw.core.layout import unpack
from mho.hw.core.results.drain import pack_codes
from mho.macro_models.errors import InputError
from mho.macro_models.integer.masks import Masks
from mho.macro_models.integer.operation import MvmOperation

__all__ = ["CoreReference", "MacroModel", "Span", "timeline"]


class MacroModel(Protocol):
    """What the reference needs of a macro: a programmed core of :mod:`mho.macro_models`."""

    def mvm(self, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: Any) -> Any:
        """``codes`` of shape (batch, lines) and ``steps`` of shape (batch, segments)."""
        ...


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
    cfg: CoreConfig | Sequence[CoreConfig], ops: Sequence[MvmOperation], steps: Sequence[Sequence[int]]
) -> list[Span]:
    """When operations run if no stream ever waits and the macro does not hold.

    ``steps`` holds the decrements of each segment of each operation. A core that is trimmed in between has a
    ``cfg`` for each operation.
    """
    result: list[Span] = []
    accepted = free = 0
    cfgs = [cfg] * len(ops) if isinstance(cfg, CoreConfig) else cfg
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


class CoreReference:
    """A core at transaction level.

    Parameters
    ----------
    cfg
        Configuration of the core, as after reset.
    macro
        Model of its macro.

    Attributes
    ----------
    now : CoreConfig
        The same with the values that are in force, see :meth:`trim`.
    masks : MaskFile
        The masks, to be written.
    mvms, cycles_analog, error
        As in ``status``.
    cycles
        ``status.cycles_total`` if no operation waits for the result before it.
    steps
        Decrements of each operation that ran, one array (segments,) each.
    ops
        These operations.
    """

    def __init__(self, cfg: CoreConfig, macro: MacroModel) -> None:
        self.cfg = self.now = cfg
        self.macro = macro
        self.masks = MaskFile(cfg)
        self.mvms = self.cycles = self.cycles_analog = 0
        self.error = False
        self.ops: list[MvmOperation] = []
        self.steps: list[NDArray[np.int64]] = []
        self._cfgs: list[CoreConfig] = []
        self._written: dict[str, int] = {}

    def operation(self, descriptor: int) -> tuple[MvmOperation, int]:
        """See :func:`mho.hw.core.layout.unpack`."""
        return unpack(descriptor)

    @property
    def address_bits(self) -> int:
        """Bits of an address of a mask word."""
        return MaskLayout(self.cfg)["addr"].width

    def trim(self, **values: int) -> None:
        """Write durations and limits, by their names in :class:`CoreConfig`: in force from the next operation on."""
        self._written |= values
        self.now = trimmed(self.cfg, self._written)

    def run(self, descriptor: int, words: Sequence[int]) -> list[int]:
        """Output words of one operation with the input codes in ``words``; none if the descriptor is illegal."""
        try:
            op, op_id = unpack(descriptor)
        except InputError:
            self.error = True
            return []
        if not self.now.allows(op):
            self.error = True
            return []
        result = self.macro.mvm(op, self.masks.as_masks(), unpack_inputs(op, words)[None], op_id)
        steps = np.asarray(result.steps[0])
        self.ops.append(op)
        self._cfgs.append(self.now)
        self.steps.append(steps)
        self.mvms += op.segments
        self.cycles += int(self.now.cycles(op, steps))
        self.cycles_analog += int(self.now.analog_cycles(op, steps))
        return pack_codes(result.codes[0])

    def timeline(self) -> list[Span]:
        """When the operations so far ran, see :func:`timeline`."""
        return timeline(self._cfgs, self.ops, [steps.tolist() for steps in self.steps])
