"""Potentiation and depression by identical pulses: which update law, by the error for cells that were left out."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from macro_models.devices.sections.update import UPDATES, Update
from macro_models.fit.tables.pulses import Pulses

__all__ = ["fit_updates"]

_IDENTICAL = 0.9  # part of the pulses of a sign that have one amplitude
_LEAST_RUN, _LEAST_RUNS = 6, 8
_MOST_RUNS = 300
_SIMPLER = 1.25  # a law with fewer parameters is taken if its error is not larger by more
_SHOWN = 12
_JUMP = 0.8  # of its way: a cell that makes so much of it in one pulse switches
_STILL = 0.3  # of the window: a cell that moves by less does not switch
_FREE = 0.7
_FOLDS = 2

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Runs:
    """Runs of identical pulses of one sign: readings (runs, pulses + 1), NaN after the end of a run."""

    sign: int
    g: Reals
    cell: NDArray[np.int64]
    volts: float
    width_s: float

    def where(self, chosen: NDArray[np.bool_]) -> "_Runs":
        return replace(self, g=self.g[chosen], cell=self.cell[chosen])


def fit_updates(data: Pulses) -> Update:
    """The law of identical pulses, an empty one where the data have none: amplitudes vary, or runs are short.

    Every form of :mod:`macro_models.devices.sections.update` is fitted by least squares to the readings after each
    pulse of half of the cells, starting from the reading before the first, and compared with the other half, both ways.
    """
    sides = [_runs(data, sign) for sign in (1, -1)]
    if any(side is None for side in sides):
        return Update()
    up, down = (side for side in sides if side is not None)
    window = float(np.nanmax(up.g) - np.nanmin(down.g))
    if window <= 0.0:
        return Update()
    heldout = {model: _heldout(up, down, model) / window for model in UPDATES[1:4]}
    jumps = _jumps(up, down)
    model = min(heldout, key=lambda name: heldout[name])
    model = next(name for name in heldout if heldout[name] <= _SIMPLER * heldout[model])
    abrupt = jumps > 0.5
    update = _fitted(up, down, "abrupt" if abrupt else model)
    update = replace(
        _spreads(update, up, down), up_V=up.volts, down_V=down.volts, pulse_s=up.width_s,
        heldout=(*(float(f"{v:.3g}") for v in heldout.values()), float(f"{_heldout(up, down, 'abrupt') / window:.3g}")),
        source=f"{data.path.name}: {len(up.g)} runs upwards, {len(down.g)} downwards of {data.cells} cells; "
        f"{jumps:.0%} of the ways in one pulse",
    )
    return _with_curves(update, up, down)


def _runs(data: Pulses, sign: int) -> _Runs | None:
    """Runs of pulses of one sign and one amplitude; None where there are too few."""
    rows = np.flatnonzero(sign * data.volts > 0.0)
    if not rows.size:
        return None
    values, count = np.unique(np.round(data.volts[rows], 3), return_counts=True)
    volts = float(values[int(np.argmax(count))])
    if count.max() < _IDENTICAL * len(rows):
        return None
    breaks = np.flatnonzero((np.diff(rows) != 1) | (np.diff(data.cell[rows]) != 0)) + 1
    runs = [run for run in np.split(rows, breaks) if len(run) >= _LEAST_RUN]
    if len(runs) < _LEAST_RUNS:
        return None
    runs = runs[:: max(1, len(runs) // _MOST_RUNS)]
    g = np.full((len(runs), max(len(run) for run in runs) + 1), math.nan)
    for k, run in enumerate(runs):
        g[k, 0], g[k, 1 : len(run) + 1] = data.before_uS[run[0]], data.after_uS[run]
    cell = np.array([data.cell[run[0]] for run in runs])
    return _Runs(sign, g, cell, volts, float(np.median(data.width_s[rows])))


def _ends(up: _Runs, down: _Runs) -> tuple[float, float]:
    """Ends of the window that was seen: means of the lowest and highest readings of runs."""
    return float(np.mean(np.nanmin(down.g, axis=1))), float(np.mean(np.nanmax(up.g, axis=1)))


def _predicted(update: Update, runs: _Runs) -> Reals:
    """Expected readings from the first of each run on, of the shape of ``runs.g``."""
    g: Reals = np.empty(runs.g.shape)
    g[:, 0] = np.clip(runs.g[:, 0], update.g_min_uS, update.g_max_uS)
    for k in range(1, runs.g.shape[-1]):
        g[:, k] = g[:, k - 1] + update.step(g[:, k - 1], runs.sign)
    return g


def _fitted(up: _Runs, down: _Runs, model: str) -> Update:
    """Least squares of one form to both signs."""
    low, high = _ends(up, down)
    window = high - low
    if model == "abrupt":
        parts = [_switching(runs, low, high) for runs in (up, down)]
        return Update(
            model=model, g_min_uS=low, g_max_uS=high, up_part=parts[0], down_part=parts[1],
            up_uS=parts[0] * window, down_uS=parts[1] * window,
        )
    start = [math.log(max(_first_step(runs), 1e-4 * window) / window) for runs in (up, down)]
    extra: list[float] = {"linear": [], "soft": [0.1, 0.1], "exponential": [1.0, 1.0]}[model]

    def build(p: Reals) -> Update:
        a, b = (window * math.exp(min(max(float(v), -15.0), 2.0)) for v in p[:2])
        if model == "soft":
            above, below = (max(float(p[k]), 0.0) * window for k in (2, 3))
            return Update(model=model, g_min_uS=low - below, g_max_uS=high + above, up_uS=a, down_uS=b)
        curve = (float(p[2]), float(p[3])) if len(p) > 2 else (0.0, 0.0)
        return Update(
            model=model, g_min_uS=low, g_max_uS=high, up_uS=a, down_uS=b, up_curve=curve[0], down_curve=curve[1]
        )

    def residual(p: Reals) -> Reals:
        update = build(p)
        found = [(_predicted(update, runs) - runs.g)[:, 1:] for runs in (up, down)]
        return np.concatenate([np.nan_to_num(f).ravel() for f in found]) / window

    return build(least_squares(residual, np.array([*start, *extra]), max_nfev=60).x)


def _first_step(runs: _Runs) -> float:
    return float(np.nanmean(runs.sign * (runs.g[:, 2] - runs.g[:, 0]))) / 2.0


def _switching(runs: _Runs, low: float, high: float) -> float:
    """Probability of a switch: switches over pulses until then."""
    middle = (low + high) / 2.0
    done = runs.sign * (runs.g - middle) > 0.0
    waiting = (~done[:, :-1]) & np.isfinite(runs.g[:, 1:])
    return float((done[:, 1:] & waiting).sum() / max(int(waiting.sum()), 1))


def _heldout(up: _Runs, down: _Runs, model: str) -> float:
    """Root mean square error of the mean reading after each pulse, for cells that were left out, in uS."""
    total, count = 0.0, 0
    for fold in range(_FOLDS):
        update = _fitted(up.where(up.cell % _FOLDS != fold), down.where(down.cell % _FOLDS != fold), model)
        for runs in (up, down):
            rest = runs.where(runs.cell % _FOLDS == fold)
            if not len(rest.g):
                continue
            known = np.isfinite(rest.g)
            error = np.where(known, _predicted(update, rest) - rest.g, 0.0).sum(axis=0)
            error /= np.maximum(known.sum(axis=0), 1)
            total, count = total + float((error[1:] ** 2).sum()), count + len(error) - 1
    return math.sqrt(total / max(count, 1))


def _jumps(up: _Runs, down: _Runs) -> float:
    """Share of the runs that make nearly all of their way in a single pulse."""
    single = []
    for runs in (up, down):
        steps = np.nan_to_num(runs.sign * np.diff(runs.g, axis=1))
        way = runs.sign * (np.array([row[np.isfinite(row)][-1] for row in runs.g]) - runs.g[:, 0])
        moved = way > 0.3 * float(np.max(way))
        single.append((steps.max(axis=1) > _JUMP * way)[moved])
    return float(np.mean(np.concatenate(single))) if sum(map(len, single)) else 0.0


def _spreads(update: Update, up: _Runs, down: _Runs) -> Update:
    """Scatter of steps between cells and from pulse to pulse, and of readings."""
    squares, sizes, pairs, scales = [], [], [], []
    for runs in (up, down):
        expected = np.abs(update.step(np.clip(runs.g[:, :-1], update.g_min_uS, update.g_max_uS), runs.sign))
        steps = runs.sign * np.diff(runs.g, axis=1)
        known = np.isfinite(steps) & np.isfinite(expected)
        power = np.where(known, expected**2, 0.0).sum(axis=1)
        scale = np.where(known, expected * steps, 0.0).sum(axis=1) / np.maximum(power, 1e-12)
        scales += [float(np.mean(scale[runs.cell == cell])) for cell in np.unique(runs.cell)]
        rest = steps - scale[:, None] * expected
        if update.model == "abrupt":  # readings between switches
            rest, known = steps, known & (np.abs(steps) < _STILL * (update.g_max_uS - update.g_min_uS))
        rest = rest - np.where(known, rest, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        end = update.g_max_uS if runs.sign > 0 else update.g_min_uS
        known &= scale[:, None] * expected < _FREE * np.abs(end - runs.g[:, :-1])  # steps that no end cuts off
        # The scale of a run follows its largest steps: what they leave is so much smaller than they scatter.
        leverage = np.minimum(expected**2 / np.maximum(power, 1e-12)[:, None], 0.8)
        squares.append((rest**2 / (1.0 - leverage))[known])
        sizes.append(((scale[:, None] * expected) ** 2)[known])
        both = known[:, 1:] & known[:, :-1]
        pairs.append((rest[:, 1:] * rest[:, :-1])[both])
    # A reading is the end of one step and the start of the next, so that its noise makes them differ the other way.
    noise = min(max(-float(np.concatenate(pairs).mean()), 0.0), float(np.concatenate(squares).mean()) / 2.0)
    read = float(f"{math.sqrt(noise):.4g}")
    if update.model == "abrupt":
        return replace(update, read_sigma_uS=read)
    left = max(float(np.concatenate(squares).mean()) - 2.0 * noise, 0.0)
    cycle = math.sqrt(left / max(float(np.concatenate(sizes).mean()), 1e-12))
    spread = float(np.std(np.log(np.maximum(scales, 0.05))))
    return replace(
        update, cycle_spread=float(f"{cycle:.4g}"), cell_spread=float(f"{spread:.4g}"), read_sigma_uS=read
    )


def _with_curves(update: Update, up: _Runs, down: _Runs) -> Update:
    """Mean readings after some of the pulses, beside those of the law."""
    n: list[float] = []
    measured: list[float] = []
    modelled: list[float] = []
    for runs in (up, down):
        last = runs.g.shape[1] - 1
        predicted = np.where(np.isfinite(runs.g), _predicted(update, runs), math.nan)
        for k in np.unique(np.round(np.linspace(0, last, min(last + 1, _SHOWN))).astype(int)):
            n.append(float(runs.sign * k))
            measured.append(float(f"{np.nanmean(runs.g[:, k]):.5g}"))
            modelled.append(float(f"{np.nanmean(predicted[:, k]):.5g}"))
    keys = ("g_min_uS", "g_max_uS", "up_uS", "down_uS", "up_curve", "down_curve", "up_part", "down_part")
    rounded = {key: float(f"{getattr(update, key):.5g}") for key in keys}
    return replace(update, **rounded, n=tuple(n), g_uS=tuple(measured), model_g_uS=tuple(modelled))
