"""Static parameters of a core, and how long and what energy its operations take."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config import SYNCHRONISER_CYCLES, Chip
from mho.hw.config.kinds.tnsa import TnsaChip
from mho.hw.core.shape import OVERHEAD_CYCLES, CoreShape, Drain, Timing, check_lines
from mho.hw.kinds.tnsa.converters import CONVERTERS
from mho.macro_models.errors import check_whole
from mho.macro_models.integer.operation import MAX_BITS, Direction, Masks, MvmOperation
from mho.macro_models.integer.tnsa.operation import TnsaOperation

OPERATIONS = ("reset_cycles", "plane_cycles", "sample_cycles", "compare_cycles", "decrement_cycles")
"""Durations of the operations at the pins of a product."""

LIMITS: Mapping[str, int] = MappingProxyType({"most_in_bits": MAX_BITS, "most_out_bits": MAX_BITS})
"""Limits of an operation's widths, and the largest that they can be."""


def constant_name(duration: str) -> str:
    """Name of a duration where it is a constant of the Verilog. ``reset_cycles`` are those of the precharge."""
    return {"reset_cycles": "PRECHARGE_CYCLES"}.get(duration, duration.upper())


@dataclass(frozen=True, kw_only=True)
class TnsaCoreConfig(CoreShape, Timing):
    """Static parameters of a :class:`mho.hw.kinds.tnsa.core.TnsaCore`.

    The defaults are those of the preset ``neurram-core``, with constants in place of registers.

    Parameters
    ----------
    lines
        Bit lines, source lines and word lines of the array: 16 to 256, a multiple of 8.
    reset_cycles, plane_cycles, sample_cycles, decrement_cycles
        Duration of an operation at the macro's pins, in cycles, 1..65535: precharge; line registers to the first
        sample; one sample; one decrement.
    compare_cycles
        Duration of a compare, in cycles, 2..65535: its result, valid in the second, decides what comes next.
    trim
        Durations and limits are registers, see :mod:`mho.hw.kinds.tnsa.bring_up.trim`; the values here are those after
        reset.
    most_in_bits, most_out_bits
        With ``trim``, the widest operation that is legal, 1..8 bits. Without, all are.
    synchronise
        Pins of the macro that pass through two flip-flops: ``cmp``, ``hold``, ``verify_valid``. Durations above hold
        the latency: with ``cmp`` a compare, with ``hold`` every operation lasts at least two cycles longer.
    manual
        The core has the manual mode of :mod:`mho.hw.kinds.tnsa.bring_up.manual`.
    ranged
        An operation gives the words that come with its descriptor (``words`` of the port) and no others.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    operation_type = TnsaOperation

    lines: int = 256
    reset_cycles: int = 10
    plane_cycles: int = 2
    sample_cycles: int = 10
    compare_cycles: int = 2
    decrement_cycles: int = 2
    trim: bool = False
    most_in_bits: int = MAX_BITS
    most_out_bits: int = MAX_BITS
    synchronise: tuple[str, ...] = ()
    manual: bool = False
    ranged: bool = False

    def __post_init__(self) -> None:
        check_lines(self.lines)
        ranges = {name: (self.least(name), 65535) for name in OPERATIONS} | {n: (1, most) for n, most in LIMITS.items()}
        for name, (low, high) in ranges.items():
            check_whole(name, getattr(self, name), low, high)

    @classmethod
    def from_chip(cls, chip: Chip, *, ranged: bool = False) -> "TnsaCoreConfig":
        """The core of a chip: durations in cycles are those of its description."""
        chip = TnsaChip.of(chip)
        return cls(
            lines=chip.lines, trim=chip.core.trim, synchronise=chip.core.synchronise, most_in_bits=chip.adc.input_bits,
            most_out_bits=chip.adc.bits, manual=chip.core.manual, ranged=ranged,
            **{f"{name}_cycles": cycles for name, cycles in chip.operation_cycles.items()},
        )

    def least(self, name: str) -> int:
        """The shortest that the duration ``name`` can be, in cycles: what is known of the pins when it ends."""
        late = "hold" in self.synchronise or (name == "compare_cycles" and "cmp" in self.synchronise)
        return (2 if name == "compare_cycles" else 1) + SYNCHRONISER_CYCLES * late

    def allows(self, op: MvmOperation) -> bool:
        """Whether an operation is within the limits."""
        return not self.trim or (op.in_bits <= self.most_in_bits and op.out_bits <= self.most_out_bits)

    def inputs(self, direction: Direction = Direction.FORWARD) -> int:
        """Input codes: one for each pair of bit lines forward, one for each source line backward."""
        return self.lines // 2 if direction is Direction.FORWARD else self.lines

    @property
    def two_way(self) -> bool:
        return True

    @property
    def drain_lines(self) -> int:
        """Lines whose codes leave the counters in one cycle, a power of two and at least those of an output word.

        As few as let the last one go before the first compare of the next conversion ends, whatever the operation.
        """
        shortest = self.reset_cycles + self.plane_cycles + self.sample_cycles + self.compare_cycles + OVERHEAD_CYCLES
        lines = 2
        while self.lines > lines * shortest:
            lines *= 2
        return lines

    @property
    def drain_rows(self) -> int:
        """Cycles in which the codes leave the counters."""
        return -(-self.lines // self.drain_lines)

    @property
    def drain(self) -> Drain:
        """How a result leaves."""
        return Drain(latency=2, row_words=self.drain_lines // 2, rows=self.drain_rows)

    @property
    def longest_cycles(self) -> int:
        """The longest operation at the pins of a product."""
        return max(getattr(self, name) for name in OPERATIONS)

    def segment_cycles(self, planes: int, steps: ArrayLike) -> NDArray[np.int64]:
        """Cycles of the operations at the pins of one conversion, for ``steps`` decrements (any shape)."""
        fixed = self.reset_cycles + planes * self.plane_cycles + (2**planes - 1) * self.sample_cycles
        step = self.decrement_cycles + self.compare_cycles
        return fixed + self.compare_cycles + step * np.asarray(steps, dtype=np.int64)

    def conversion_cycles(self, op: MvmOperation, steps: ArrayLike) -> NDArray[np.int64]:
        """Cycles at the pins of each segment, most significant first; ``steps`` and result (..., segments)."""
        steps = np.asarray(steps, dtype=np.int64)
        if steps.shape[-1:] != (op.segments,):
            raise ValueError(f"Steps must have shape (..., {op.segments}), not {steps.shape!r}")
        return np.stack(
            [self.segment_cycles(planes, steps[..., k]) for k, planes in enumerate(op.segment_planes)], axis=-1)

    def worst_steps(self, op: MvmOperation) -> NDArray[np.int64]:
        """All decrements that the converters can make."""
        line = TnsaOperation.of(op)
        return np.full(op.segments, CONVERTERS[line.converter].most(line), dtype=np.int64)

    def most_steps(self, op: MvmOperation, codes: NDArray[np.integer]) -> tuple[NDArray[np.int64], bool]:
        line = TnsaOperation.of(op)
        return CONVERTERS[line.converter].from_codes(line, codes)


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
