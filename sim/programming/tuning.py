"""Writing an array without transistors by its write-verify engine, in passes that come back to what was disturbed.

A pulse for one cell disturbs others of its lines whose thresholds are below its half (or third), and where thresholds
spread by a quarter there are always such. So the order decides:

1. The first pass finds at which amplitude each cell answers to SET and to RESET. All cells are pulsed at one amplitude
   before any is at the next, so that no cell is disturbed that is not known by then. Those that do not answer at all
   are not pulsed again.
2. Every further pass goes down through these amplitudes. A cell is first brought beyond its target by pulses of the
   polarity that needs more, and later, when the pass has come down to what the other polarity needs, back to it by
   pulses of that one. Whatever follows has smaller amplitudes than both, and half of them moves it no more.
3. The first of these two steps waits until the pass is down to twice the smaller amplitude of the cell, as more than
   that would move it back before its time, but no longer than to half of the larger one, as it would disturb cells that
   are ready.

What is outside of its window after a pass is touched again in the next. Each step is a run of the engine over the cells
of one amplitude that moves them in one direction: the band has no width, so that a cell is done at the edge or beyond
it, and the other polarity has a ceiling of 0, at which the engine gives a cell up in place of the pulse.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config import Chip, PulseChip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.macro_models.cells.bias import pulse_energy_J
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import InputError
from mho.macro_models.integer.pulse import AMPLITUDE_BITS, Polarity
from mho.sim.programming.write_verify import Programmer, ProgramRun, reference_run, target_codes

Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]

_TOP = 2**AMPLITUDE_BITS - 1
_POLARITIES = (Polarity.SET, Polarity.RESET)
_PUBLISHED = {
    "pulses_per_cell": 50, "passes": "",
    "source": "about 50 pulses to 2 %, 20 x 20 cells: Fahimi et al., Scientific Reports 11, 16383 (2021)",
}


@dataclass(frozen=True, kw_only=True)
class TuningConfig:
    """How cells are tuned.

    Raises InputError if a value is out of range.
    """

    window: float = 0.05
    """Half width of the window in which a cell counts as tuned, relative to its target."""
    aim: float = 0.03
    """The same of the window in which a visit ends."""
    leave: float = 0.04
    """The same of the window in which a cell is not visited."""
    beyond: float = 0.2
    """How far beyond its target a cell is brought first, relative to it."""
    start_V: float = 0.15
    """Amplitude at which the first pass begins, in V."""
    ramp: float = 1.1
    """Factor from one of its amplitudes to the next. A visit begins one below that to which the cell answered."""
    step_V: float = 0.01
    """By which amplitudes rise in a visit, in V."""
    most_pulses: int = 100
    """Pulses of a visit."""

    def __post_init__(self) -> None:
        if not 0.0 < self.aim <= self.leave <= self.window < 1.0:
            widths = f"{self.aim!r}, {self.leave!r} and {self.window!r}"
            raise InputError(f"aim, leave and window must be 0 < aim <= leave <= window < 1, not {widths}")


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
    """Part of the cells that were read within the window after the pass."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tuning:
    """What tuning an array took, and what it left."""

    passes: tuple[Pass, ...]
    error: NDArray[np.float64] = field(repr=False)
    """(g - target) / target of each cell afterwards, of shape (rows, columns); NaN where a cell was left alone."""
    retouched: int
    """Cells that came into their window and had to be touched again because others had disturbed them."""
    silent: Mask = field(repr=False)
    """Cells that answered to no amplitude of the first pass, of shape (rows, columns)."""
    window: float
    energy_J: tuple[float, float]
    """Of all pulses, in ohmic cells: in those that were meant, and in all others."""
    run: ProgramRun = field(repr=False)
    """All runs of the engine as one, whose passes are those of tuning: ``faults`` are cells outside of the window."""

    @property
    def within(self) -> float:
        """Part of the cells within the window."""
        return float(np.mean(np.abs(self._errors) <= self.window))

    @property
    def mean_error(self) -> float:
        """Mean of the relative errors' magnitudes."""
        return float(np.mean(np.abs(self._errors)))

    @property
    def pulses(self) -> int:
        """Pulses of all passes."""
        return len(self.run.pulses)

    @property
    def _errors(self) -> NDArray[np.float64]:
        return self.error[~np.isnan(self.error)]


def tune(
    chip: Chip, core: int, array: PulseArray, targets_uS: ArrayLike, skip: Mask | None = None,
    programmer: Programmer | None = None, config: TuningConfig | None = None,
) -> Tuning:
    """Tune the cells of ``array``, which stands for those of ``core`` and changes, in ``programming.passes`` at most.

    Raises InputError if a target is not positive, beyond the reads, or the shape does not fit.

    Parameters
    ----------
    targets_uS
        Conductances of shape (rows, columns), in uS; positive where ``skip``, of the same shape, does not leave a cell
        alone.
    programmer
        What runs the engine: an open backend; without one, the numpy reference.
    """
    targets, shape = np.asarray(targets_uS, dtype=np.float64), array.config.shape
    chosen = np.full(shape, True) if skip is None else ~np.asarray(skip)
    if targets.shape != shape or not (targets[chosen] > 0.0).all() or not chosen.any():
        raise InputError(f"{chip.name}: targets must be {shape[0]} x {shape[1]} positive conductances in uS")
    return _Tuner(chip, core, array, targets, chosen, programmer, TuningConfig() if config is None else config).run()


def tuning_report(tunings: Sequence[Tuning]) -> dict[str, Any]:
    """What is told of all cores of a network, as JSON."""
    errors = np.concatenate([np.abs(tuned.error[~np.isnan(tuned.error)]) for tuned in tunings])
    return {
        "tuning": {
            "window": tunings[0].window, "within": float(np.mean(errors <= tunings[0].window)),
            "mean_error": float(errors.mean()), "retouched": sum(tuned.retouched for tuned in tunings),
            "energy_J": [sum(tuned.energy_J[k] for tuned in tunings) for k in range(2)],
            "silent": sum(int(tuned.silent.sum()) for tuned in tunings),
            "passes": [
                {name: sum(getattr(each, name) for each in group if each) for name in ("disturbed", "disturbances")}
                for group in zip_longest(*(tuned.passes for tuned in tunings))
            ],
        },
        "published": _PUBLISHED,
    }


class _Tuner:
    """The passes over one array."""

    def __init__(
        self, chip: Chip, core: int, array: PulseArray, targets_uS: NDArray[np.float64], chosen: Mask,
        programmer: Programmer | None, config: TuningConfig,
    ) -> None:
        self.chip, self.core, self.array, self.chosen = chip, core, array, chosen
        self.programmer, self.config, self.targets_uS = programmer, config, targets_uS
        self.targets = np.maximum(target_codes(chip, np.where(chosen, targets_uS, 0.0)), 1)
        self.registers = WriteVerifyParameters.from_chip(chip)
        self.ceiling = (self.registers.set_ceiling, self.registers.reset_ceiling)
        self.needed = np.stack([np.full(chosen.shape, top) for top in self.ceiling])
        """Amplitudes that move each cell, of SET and RESET, in codes."""
        self.codes = np.zeros(chosen.shape, dtype=np.int64)
        self.silent, self.ready, self.disturbed = (np.zeros(chosen.shape, dtype=np.bool_) for _ in range(3))
        self.moved = self._moves()
        """How often others had moved each cell when a pass last ended with it in its window."""
        self.energy_J = np.zeros(2)
        self.runs: list[ProgramRun] = []
        self.passes: list[tuple[Pass, ProgramRun]] = []

    def run(self) -> Tuning:
        self._read(self.chosen)
        self._count(self._find_amplitudes)
        answering = 1.0 - self.silent[self.chosen].mean()
        while self.passes[-1][0].within < answering and len(self.passes) < PulseChip.of(self.chip).programming.passes:
            self._count(self._go_down)
        g_uS = self.array.g_uS.reshape(self.chosen.shape)
        error = np.full(g_uS.shape, np.nan)
        error[self.chosen] = g_uS[self.chosen] / self.targets_uS[self.chosen] - 1.0
        done, runs = zip(*self.passes, strict=True)
        meant_J, others_J = self.energy_J.tolist()
        return Tuning(
            passes=done, error=error, retouched=int(self.disturbed.sum()), silent=self.silent,
            window=self.config.window, energy_J=(meant_J, others_J),
            run=_joined(runs, [run.faults[-1] for run in runs]),
        )

    def _moves(self) -> Codes:
        return self.array.disturbed.reshape(self.chosen.shape).copy()

    def _outside(self) -> Mask:
        return self.chosen & (np.abs(self.codes / self.targets - 1.0) > self.config.window)

    def _count(self, work: Callable[[], None]) -> None:
        """Do a pass, and say what it did."""
        again = self.ready & self._outside() & (self._moves() > self.moved)
        self.disturbed |= again
        before = int(self._moves().sum())
        work()
        self._read(self.chosen)
        outside, moves = self._outside(), self._moves()
        # A cell that does not answer may be where it should be by chance; it was not tuned.
        self.ready |= self.chosen & ~outside & ~self.silent
        self.moved = np.where(outside, self.moved, moves)
        faults = outside | self.silent
        run = _joined([_summed(self.runs, len(self.passes))], [faults])
        self.runs = []
        self.passes.append((
            Pass(
                visited=int((run.counts[0] > 0).sum()), pulses=len(run.pulses), disturbed=int(again.sum()),
                disturbances=int(moves.sum()) - before, within=float(1.0 - faults[self.chosen].mean()),
            ),
            run,
        ))

    def _find_amplitudes(self) -> None:
        """One pulse of each polarity at rising amplitudes to all cells that have not answered to it."""
        programming = PulseChip.of(self.chip).programming
        step_uS = self.array.config.verify_step_uS
        seen = max(1, round(3.0 * programming.guard_uS / step_uS))  # beyond the noise of two reads
        found = np.zeros(self.needed.shape, dtype=np.bool_)
        amplitude = max(1, self._code(self.config.start_V))
        while amplitude < min(max(self.ceiling) + 1, _TOP):
            for polarity in _POLARITIES:
                left = self.chosen & ~found[polarity]
                if amplitude <= self.ceiling[polarity] and left.any():
                    before, far = self.codes, (2**self.array.config.verify_bits - 1) * (polarity == Polarity.SET)
                    self._move(left, np.full(left.shape, far), polarity, amplitude, 0, 1)
                    answers = left & (_sign(polarity) * (self.codes - before) >= seen)
                    self.needed[polarity][answers] = amplitude
                    found[polarity] |= answers
            amplitude = max(amplitude + 1, round(amplitude * self.config.ramp))
        self.silent = self.chosen & ~found[Polarity.SET] & ~found[Polarity.RESET]

    def _go_down(self) -> None:
        """All cells, from large amplitudes to small ones."""
        hard, easy = self.needed.max(axis=0), self.needed.min(axis=0)
        levels = np.stack([np.minimum(hard, np.maximum(2 * easy, hard // 2)), easy])
        easier = np.where(self.needed[Polarity.SET] < self.needed[Polarity.RESET], Polarity.SET, Polarity.RESET)
        polarities = np.stack([1 - easier, easier])
        needed = np.stack([hard, easy])
        live = self.chosen & ~self.silent
        number = np.broadcast_to(np.arange(2)[:, None, None], levels.shape)
        steps = np.stack([-levels, number, polarities, needed], axis=-1)
        for step in np.unique(steps[:, live].reshape(-1, 4), axis=0):
            _, back, polarity, amplitude = step.tolist()
            self._visit(live & (steps[back] == step).all(axis=-1), bool(back), Polarity(polarity), amplitude)

    def _visit(self, cells: Mask, back: bool, polarity: Polarity, amplitude: int) -> None:
        """Bring cells to their targets, or first beyond them, so that the other polarity can bring them back."""
        config, sign, goal = self.config, _sign(polarity), self.targets.astype(np.float64)
        self._read(cells)
        # The others are there, tuned already, or on the side where this polarity cannot help.
        cells = cells & (sign * (self.codes / self.targets - 1.0) <= -config.leave)
        if not back:
            goal *= 1.0 + sign * config.beyond
        edge = np.rint(goal * (1.0 - sign * config.aim)).astype(np.int64)
        start = max(1, round(amplitude / config.ramp))
        self._move(cells, edge, polarity, start, max(1, self._code(config.step_V)), config.most_pulses)

    def _move(self, cells: Mask, edge: Codes, polarity: Polarity, start: int, step: int, most: int) -> None:
        """Pulses of one polarity and rising amplitude, at most so many, until cells are at ``edge`` or beyond it."""
        top = self.ceiling[polarity] if step else start
        kind, other = ("set", "reset") if polarity == Polarity.SET else ("reset", "set")
        rising = {f"{kind}_start": start, f"{kind}_step": step, f"{kind}_ceiling": min(top + 1, _TOP)}
        never = dict.fromkeys((f"{other}_start", f"{other}_step", f"{other}_ceiling"), 0)
        self._engine(cells, np.minimum(edge, 2**self.array.config.verify_bits - 1), max_pulses=most, **rising, **never)

    def _read(self, cells: Mask) -> None:
        self._engine(cells, self.targets, max_pulses=0)

    def _engine(self, cells: Mask, targets: Codes, **registers: int) -> None:
        """A run over ``cells``."""
        if not cells.any():
            return
        parameters = replace(
            self.registers, tolerance=0, confirmations=0, passes=1, wait_cycles=0, max_reversals=0, max_at_ceiling=0,
            **registers,
        )
        work = self.core, self.array, targets, ~cells, parameters
        run = self.programmer.program(*work) if self.programmer else reference_run(self.chip, *work[1:])
        pulses, scales, g_S = run.pulses, self.array.config, 1e-6 * self.array.g_uS.reshape(cells.shape)
        volts2_s = (pulses["amplitude"] * scales.v_step_V) ** 2 * pulses["cycles"] * scales.cycle_s
        self.energy_J += pulse_energy_J(scales.bias, pulses["row"], pulses["col"], volts2_s, g_S)
        self.codes = np.where(cells, run.codes[0], self.codes)
        self.runs.append(replace(run, codes=self.codes[None]))

    def _code(self, volts: float) -> int:
        return round(volts / self.array.config.v_step_V)


def _sign(polarity: Polarity) -> int:
    """The direction in which pulses move a conductance."""
    return 1 if polarity == Polarity.SET else -1


def _summed(runs: list[ProgramRun], number: int) -> ProgramRun:
    """Runs of one pass as one."""
    pulses = np.concatenate([run.pulses for run in runs])
    pulses["write_pass"] = number
    return replace(
        _joined(runs, [run.faults[-1] for run in runs]), pulses=pulses, codes=runs[-1].codes,
        counts=sum((run.counts for run in runs), start=np.zeros_like(runs[0].counts)),
    )


def _joined(runs: "list[ProgramRun] | tuple[ProgramRun, ...]", faults: list[Mask]) -> ProgramRun:
    """Runs one after the other as one of so many passes, with the faults of each."""
    counts = np.concatenate([run.counts for run in runs])
    counters = {name: sum(run.counters[name] for run in runs) for name in ("sets", "resets", "forms", "reads")}
    return ProgramRun(
        pulses=np.concatenate([run.pulses for run in runs]), codes=np.concatenate([run.codes for run in runs]),
        faults=np.stack(faults), counts=counts,
        counters={**counters, "pulsed": int((counts[-1] > 0).sum()), "faults": int(faults[-1].sum())},
        cycles=sum(run.cycles for run in runs), array=runs[-1].array,
    )
