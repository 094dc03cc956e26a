"""Writing an array without transistors: form the cells one by one, then tune them, and come back to what was disturbed.

A pulse for one cell disturbs others of its lines whose thresholds are below its half (or third), and where thresholds
spread by a quarter there are always such. So the order decides (:class:`_Tuner`):

1. The first pass finds at which amplitude each cell answers to SET and to RESET, by ramps, and which do not answer at
   all: these are not pulsed again, as the highest amplitudes disturb most.
2. Every further pass goes down through these amplitudes. A cell is first brought beyond its target by pulses of the
   polarity that needs more, and later, when the pass has come down to what the other polarity needs, back to it by
   pulses of that one. Whatever follows has smaller amplitudes than both, and half of them moves it no more.
3. The first of these two steps waits until the pass is down to twice the smaller amplitude of the cell, as more than
   that would move it back before its time, but no longer than to half of the larger one, as it would disturb cells that
   are ready.

What is outside of its window after a pass is touched again in the next. In each step amplitudes rise while a cell
moves little and fall while it moves too much (after F. Alibart et al., "High precision tuning of state for memristive
devices by adaptable variation-tolerant algorithm", Nanotechnology 23 (2012) 075201).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.errors import InputError
from mho.macro_models.integer.pulse import Polarity
from mho.macro_models.passive.cells import AMPLITUDE_MAX, PassiveArray
from mho.macro_models.types import Reals


@dataclass(frozen=True, kw_only=True)
class TuningConfig:
    """How cells are tuned.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    window: float = 0.05
    """Half width of the window in which a cell counts as tuned, relative to its target."""
    aim: float = 0.03
    """The same of the window in which a visit ends."""
    beyond: float = 0.3
    """How far beyond its target a cell is brought first, relative to it."""
    start_V: float = 0.15
    """Amplitude at which the ramps of the first pass begin, in V."""
    ramp: float = 1.1
    """Factor from one amplitude of a ramp to the next."""
    most_V: float = 2.2
    """Largest amplitude, in V."""
    step_V: float = 0.03
    """By which amplitudes rise and fall in the other passes, in V."""
    most_pulses: int = 100
    """Pulses of one step of a cell."""
    passes: int = 12
    """Most passes."""

    def __post_init__(self) -> None:
        if not 0.0 < self.aim <= self.window < 1.0:
            raise InputError(f"aim and window must be 0 < aim <= window < 1, not {self.aim!r} and {self.window!r}")
        if not (0.0 < self.start_V <= self.most_V and self.step_V > 0.0 and self.ramp > 1.0):
            raise InputError("start_V, most_V and step_V must be positive, start_V at most most_V, and ramp above 1")


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What one pass over the array did."""

    visited: int
    """Cells that were pulsed."""
    pulses: int
    disturbed: int
    """Cells that had come into their window, were moved by a pulse for another one since, and are outside as the pass
    begins."""
    disturbances: int
    """How often a pulse moved a cell that it was not for."""
    within: float
    """Part of all cells that were read within the window after the pass."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What tuning an array took, and what it left."""

    passes: tuple[Pass, ...]
    error: Reals = field(repr=False)
    """(g - target) / target of each cell afterwards, of shape (rows, columns)."""
    retouched: int
    """Cells that came into their window and had to be touched again because others had disturbed them."""
    silent: NDArray[np.bool_] = field(repr=False)
    """Cells that answered to no amplitude of the first pass, of shape (rows, columns)."""
    window: float

    @property
    def within(self) -> float:
        """Part of the cells within the window."""
        return float(np.mean(np.abs(self.error) <= self.window))

    @property
    def mean_error(self) -> float:
        """Mean of the relative errors' magnitudes."""
        return float(np.mean(np.abs(self.error)))

    @property
    def pulses(self) -> int:
        """Pulses of all passes."""
        return sum(each.pulses for each in self.passes)


def tune(array: PassiveArray, target_uS: ArrayLike, config: TuningConfig | None = None) -> Tuning:
    """Tune all cells to ``target_uS``, of shape (rows, columns), positive.

    Raises
    ------
    InputError
        If a target is not positive, beyond the reads, or the shape does not fit.
    """
    config = TuningConfig() if config is None else config
    target = np.asarray(target_uS, dtype=np.float64)
    top = array.config.g_full_scale_uS
    if target.shape != array.place.shape or not ((target > 0.0) & (target <= top)).all():
        rows, columns = array.place.shape
        raise InputError(f"target_uS must be {rows} x {columns} conductances above 0 and up to {top:g} uS")
    return _Tuner(array, target, config).run()


def form(array: PassiveArray, *, start_V: float = 1.5, increase_V: float = 0.05, most_V: float = 2.5) -> Pass:
    """Form the cells of a fresh array one by one: amplitudes rise until a read finds a filament, then a RESET.

    The RESET keeps formed cells from carrying the current of the next forming; cells of the same lines are disturbed
    all the same, and tuning comes after. ``within`` is the part of the cells that are formed.
    """
    step, law = array.config.v_step_V, array.device.pulse
    found_uS = np.sqrt(max(law.fresh_uS, 1e-3) * max(law.formed_uS, 1e-3))
    pulses, visited, before = 0, 0, int(array.moved.sum())
    reset = min(round((law.reset_threshold_V + law.reset_spread_V) / step), AMPLITUDE_MAX)
    for row, column in np.ndindex(array.place.shape):
        amplitude = start_V
        visited += array.read_uS(row, column) < found_uS
        while amplitude <= most_V and array.read_uS(row, column) < found_uS:
            array.pulse(row, column, Polarity.FORM, min(round(amplitude / step), AMPLITUDE_MAX))
            pulses, amplitude = pulses + 1, amplitude + increase_V
        array.pulse(row, column, Polarity.RESET, reset)
        pulses += 1
    formed = array.cells.formed[array.place]
    return Pass(
        visited=visited, pulses=pulses, disturbed=0, disturbances=int(array.moved.sum()) - before,
        within=float(formed.mean()),
    )


class _Tuner:
    """The passes over one array."""

    def __init__(self, array: PassiveArray, target: Reals, config: TuningConfig) -> None:
        self.array, self.target, self.config = array, target, config
        self.needed = np.full((2, *target.shape), config.most_V)
        """Amplitudes that move each cell, of SET and RESET, in V."""
        self.silent = np.zeros(target.shape, dtype=np.bool_)
        self.ready = np.zeros(target.shape, dtype=np.bool_)
        self.disturbed = np.zeros(target.shape, dtype=np.bool_)
        self.moved = array.moved
        """How often others had moved each cell when a pass last ended with it in its window."""
        self.pulsed = np.zeros(target.shape, dtype=np.bool_)

    def run(self) -> Tuning:
        passes = [self._count(self._find_amplitudes)]
        while passes[-1].within < 1.0 - self.silent.mean() and len(passes) < self.config.passes:
            passes.append(self._count(self._go_down))
        return Tuning(
            passes=tuple(passes), error=self.array.g_uS / self.target - 1.0, retouched=int(self.disturbed.sum()),
            silent=self.silent, window=self.config.window,
        )

    def _count(self, work: Callable[[], int]) -> Pass:
        """What a pass did."""
        again = self.ready & self._outside() & (self.array.moved > self.moved)
        self.disturbed |= again
        self.pulsed[:], before = False, int(self.array.moved.sum())
        pulses, outside = work(), self._outside()
        # A cell that does not answer may be where it should be by chance; it was not tuned.
        self.ready |= ~outside & ~self.silent
        self.moved = np.where(outside, self.moved, self.array.moved)
        return Pass(
            visited=int(self.pulsed.sum()), pulses=pulses, disturbed=int(again.sum()),
            disturbances=int(self.array.moved.sum()) - before,
            within=float(1.0 - (outside | self.silent).mean()),
        )

    def _outside(self) -> NDArray[np.bool_]:
        return np.abs(self.array.read_all_uS() / self.target - 1.0) > self.config.window

    def _find_amplitudes(self) -> int:
        """Ramps of both polarities on every cell."""
        pulses, config = 0, self.config
        for row, column in np.ndindex(self.target.shape):
            answered = 0
            # Upwards first where there is room.
            order = (Polarity.SET, Polarity.RESET) if self._read(row, column) < self.target[row, column] else (
                Polarity.RESET, Polarity.SET)
            for polarity in order:
                amplitude, before = config.start_V, self._read(row, column)
                while amplitude <= config.most_V:
                    self._pulse(row, column, polarity, amplitude)
                    pulses += 1
                    if abs(self._read(row, column) / max(before, 1e-9) - 1.0) > config.window:
                        self.needed[polarity, row, column] = amplitude
                        answered += 1
                        break
                    amplitude *= config.ramp
            self.silent[row, column] = answered == 0
        return pulses

    def _go_down(self) -> int:
        """All cells, from large amplitudes to small ones."""
        hard, easy = self.needed.max(axis=0), self.needed.min(axis=0)
        levels = np.stack([np.minimum(hard, np.maximum(2.0 * easy, hard / 2.0)), easy])
        levels[:, self.silent] = np.nan
        order = np.argsort(-levels, axis=None, kind="stable")[: 2 * int((~self.silent).sum())]
        easier = np.where(self.needed[0] < self.needed[1], Polarity.SET, Polarity.RESET)
        pulses = 0
        for step, row, column in zip(*(index.tolist() for index in np.unravel_index(order, levels.shape)), strict=True):
            back = Polarity(int(easier[row, column]))
            pulses += self._bring_back(row, column, back) if step else self._bring_beyond(row, column, back)
        return pulses

    def _bring_beyond(self, row: int, column: int, back: Polarity) -> int:
        """Bring a cell so far beyond its target that pulses of ``back`` can bring it there."""
        target, read = float(self.target[row, column]), self._read(row, column)
        away = 1.0 if back == Polarity.RESET else -1.0  # of conductance
        if away * (read / target - 1.0) > -self.config.aim:
            return 0  # there, or tuned already
        return self._approach(row, column, Polarity(1 - back), target * (1.0 + away * self.config.beyond), read)

    def _bring_back(self, row: int, column: int, back: Polarity) -> int:
        """Bring a cell back to its target."""
        target, read = float(self.target[row, column]), self._read(row, column)
        away = 1.0 if back == Polarity.RESET else -1.0
        if away * (read / target - 1.0) <= self.config.aim:
            return 0  # tuned, or on the other side, where ``back`` cannot help
        return self._approach(row, column, back, target, read)

    def _approach(self, row: int, column: int, polarity: Polarity, goal: float, read: float) -> int:
        """Pulses of one polarity until a cell is at ``goal``, or beyond it; how many."""
        config, sign = self.config, 1.0 if polarity == Polarity.SET else -1.0
        amplitude = float(self.needed[polarity, row, column]) - config.step_V
        for count in range(config.most_pulses):
            left = sign * (goal - read)
            if left <= config.aim * goal:
                return count
            self._pulse(row, column, polarity, amplitude)
            before, read = read, self._read(row, column)
            moved = sign * (read - before)
            if moved > 0.01 * before:
                self.needed[polarity, row, column] = amplitude
            # A third of what is left now is the next move, as steps grow with the amplitude and scatter.
            ahead = max(abs(goal - read), config.aim * goal) / 3.0
            steps = float(np.clip(np.log2(ahead / max(moved, 1e-3 * ahead)), -4.0, 1.0))
            amplitude = float(np.clip(amplitude + steps * config.step_V, config.start_V, config.most_V))
            if moved > left:  # beyond: begin lower next time
                self.needed[polarity, row, column] = amplitude
        return config.most_pulses

    def _pulse(self, row: int, column: int, polarity: Polarity, volts: float) -> None:
        amplitude = min(round(volts / self.array.config.v_step_V), AMPLITUDE_MAX)
        self.array.pulse(row, column, polarity, amplitude)
        self.pulsed[row, column] = True

    def _read(self, row: int, column: int) -> float:
        return self.array.read_uS(row, column)
