"""Potentiation and depression by identical pulses: which update law, by the error for cells that were left out."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from mho.macro_models.devices.sections.update import UPDATES, Update
from mho.macro_models.fit.tables.pulses import Pulses
from mho.macro_models.types import Flags, Integers, Reals

_IDENTICAL = 0.9  # part of the pulses of a sign that have one amplitude
_LEAST_RUN, _LEAST_RUNS = 6, 8
_MOST_RUNS = 300
_SIMPLER = 1.25  # a law with fewer parameters is taken if its error is not larger by more
_SHOWN = 12
_JUMP = 0.8  # of its way: a cell that makes so much of it in one pulse switches
_STILL = 0.3  # of the window: a cell that moves by less does not switch
_FREE = 0.7
_FOLDS = 2


@dataclass(frozen=True, eq=False)
class _Runs:
    """Runs of identical pulses of one sign: readings (runs, pulses + 1), NaN after the end of a run."""

    sign: int
    g: Reals
    cell: Integers
    volts: float
    width_s: float

    def where(self, chosen: Flags) -> "_Runs":
        return replace(self, g=self.g[chosen], cell=self.cell[chosen])


def fit_updates(data: Pulses) -> Update:
    """The law of identical pulses, an empty one where the data have none: amplitudes vary, or runs are short.

    Every form of :mod:`mho.macro_models.devices.sections.update` is fitted by least squares to the readings after each
    pulse of half of the cells, starting from the reading before the first, and compared with the other half, both ways.
    Pulses of either sign have a form of their own where that is better; of a sign without runs nothing moves.
    """
    sides = [side for side in (_runs(data, 1), _runs(data, -1)) if side is not None]
    window = max((float(np.ptp(side.g[np.isfinite(side.g)])) for side in sides), default=0.0)
    if window <= 0.0:
        return Update()
    heldout = {form: _heldout(sides, (form, form)) / window for form in UPDATES[1:]}
    forms = _chosen(sides, heldout)
    update = _fitted(sides, forms)
    counts = " and ".join(f"{len(s.g)} runs {'upwards' if s.sign > 0 else 'downwards'}" for s in sides)
    of = {side.sign: side for side in sides}
    update = replace(
        _spreads(update, sides), up_V=of[1].volts if 1 in of else 0.0, down_V=of[-1].volts if -1 in of else 0.0,
        pulse_s=sides[0].width_s,
        heldout=tuple(float(f"{math.sqrt(float((errors**2).mean())):.3g}") for errors in heldout.values()),
        source=f"{data.path.name}: {counts} of {data.cells} cells; "
        + ", ".join(f"{_jumps(side):.0%}" for side in sides) + " of the ways in one pulse",
    )
    return _with_curves(update, sides)


def _chosen(sides: list[_Runs], heldout: dict[str, Reals]) -> tuple[str, str]:
    """The form upwards and that downwards: one for both, unless two make a quarter less of the error."""
    forms = {side.sign: "abrupt" for side in sides if _jumps(side) > 0.5}
    free = [k for k, side in enumerate(sides) if side.sign not in forms]
    gradual = {form: heldout[form][free] for form in UPDATES[1:4]}
    if free:
        smallest = np.min(list(gradual.values()), axis=0)
        both = [form for form, errors in gradual.items() if (errors**2).sum() <= _SIMPLER**2 * (smallest**2).sum()]
        for place, k in enumerate(free):
            simplest = next(form for form, errors in gradual.items() if errors[place] <= _SIMPLER * smallest[place])
            forms[sides[k].sign] = both[0] if both else simplest
    return forms.get(1, forms.get(-1, "")), forms.get(-1, forms.get(1, ""))


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


def _ends(sides: list[_Runs]) -> tuple[float, float]:
    """Ends of the window that was seen: means of the lowest and highest readings of runs."""
    lowest, highest = (float(np.mean(np.nanmin(side.g, axis=1))) for side in sides), (
        float(np.mean(np.nanmax(side.g, axis=1))) for side in sides
    )
    return min(lowest), max(highest)


def _predicted(update: Update, runs: _Runs) -> Reals:
    """Expected readings from the first of each run on, of the shape of ``runs.g``."""
    g: Reals = np.empty(runs.g.shape)
    g[:, 0] = np.clip(runs.g[:, 0], update.g_min_uS, update.g_max_uS)
    for k in range(1, runs.g.shape[-1]):
        g[:, k] = g[:, k - 1] + update.step(g[:, k - 1], runs.sign)
    return g


def _fitted(sides: list[_Runs], forms: tuple[str, str]) -> Update:
    """Least squares of the forms upwards and downwards to both signs."""
    low, high = _ends(sides)
    window = high - low
    settings: dict[str, Any] = {"model": forms[0], "down_model": "" if forms[1] == forms[0] else forms[1]}
    free: dict[str, float] = {}
    for side in sides:
        name, end, form = ("up", "g_max_uS", forms[0]) if side.sign > 0 else ("down", "g_min_uS", forms[1])
        if form == "abrupt":
            part = _switching(side, low, high)
            settings |= {f"{name}_part": part, f"{name}_uS": part * window}
            continue
        free[f"{name}_uS"] = math.log(max(_first_step(side), 1e-4 * window) / window)
        if form != "linear":
            free |= {end: 0.1} if form == "soft" else {f"{name}_curve": 1.0}

    def build(p: Reals) -> Update:
        values: dict[str, Any] = settings | {"g_min_uS": low, "g_max_uS": high}
        for key, value in zip(free, p.tolist(), strict=True):
            if key in ("g_min_uS", "g_max_uS"):
                values[key] += max(value, 0.0) * (window if key == "g_max_uS" else -window)
            else:
                values[key] = value if key.endswith("curve") else window * math.exp(min(max(value, -15.0), 2.0))
        return Update(**values)

    def residual(p: Reals) -> Reals:
        update = build(p)
        differences = [(_predicted(update, runs) - runs.g)[:, 1:] for runs in sides]
        return np.concatenate([np.nan_to_num(f).ravel() for f in differences]) / window

    start = np.array(list(free.values()))
    return build(least_squares(residual, start, max_nfev=60).x if free else start)


def _first_step(runs: _Runs) -> float:
    return float(np.nanmean(runs.sign * (runs.g[:, 2] - runs.g[:, 0]))) / 2.0


def _switching(runs: _Runs, low: float, high: float) -> float:
    """Probability of a switch: switches over pulses until then."""
    middle = (low + high) / 2.0
    done = runs.sign * (runs.g - middle) > 0.0
    waiting = (~done[:, :-1]) & np.isfinite(runs.g[:, 1:])
    return float((done[:, 1:] & waiting).sum() / max(int(waiting.sum()), 1))


def _heldout(sides: list[_Runs], forms: tuple[str, str]) -> Reals:
    """Root mean square error of the mean reading after each pulse, for cells that were left out, in uS, by side."""
    total, count = np.zeros(len(sides)), np.zeros(len(sides))
    for fold in range(_FOLDS):
        used = [side.where(side.cell % _FOLDS != fold) for side in sides]
        rest = [side.where(side.cell % _FOLDS == fold) for side in sides]
        if not all(len(side.g) for side in used):
            continue
        update = _fitted(used, forms)
        for k, side in enumerate(rest):
            if not len(side.g):
                continue
            finite = np.isfinite(side.g)
            error = np.where(finite, _predicted(update, side) - side.g, 0.0).sum(axis=0)
            error /= np.maximum(finite.sum(axis=0), 1)
            total[k] += float((error[1:] ** 2).sum())
            count[k] += len(error) - 1
    return np.sqrt(total / np.maximum(count, 1.0))


def _jumps(runs: _Runs) -> float:
    """Share of the runs that make nearly all of their way in a single pulse."""
    steps = np.nan_to_num(runs.sign * np.diff(runs.g, axis=1))
    way = runs.sign * (np.array([row[np.isfinite(row)][-1] for row in runs.g]) - runs.g[:, 0])
    moved = way > max(0.3 * float(np.max(way)), 0.0)
    return float((steps.max(axis=1) > _JUMP * way)[moved].mean()) if moved.any() else 0.0


def _spreads(update: Update, sides: list[_Runs]) -> Update:
    """Scatter of steps between cells and from pulse to pulse, and of readings."""
    squares, sizes, pairs, scales = [], [], [], []
    for runs in sides:
        abrupt = update.form(runs.sign) == "abrupt"
        expected = np.abs(update.step(np.clip(runs.g[:, :-1], update.g_min_uS, update.g_max_uS), runs.sign))
        steps = runs.sign * np.diff(runs.g, axis=1)
        usable = np.isfinite(steps) & np.isfinite(expected)
        power = np.where(usable, expected**2, 0.0).sum(axis=1)
        scale = np.where(usable, expected * steps, 0.0).sum(axis=1) / np.maximum(power, 1e-12)
        rest = steps - scale[:, None] * expected
        if abrupt:  # readings between switches
            rest, usable = steps, usable & (np.abs(steps) < _STILL * (update.g_max_uS - update.g_min_uS))
        rest = rest - np.where(usable, rest, 0.0).sum(axis=0) / np.maximum(usable.sum(axis=0), 1)
        end = update.g_max_uS if runs.sign > 0 else update.g_min_uS
        usable &= abrupt | (scale[:, None] * expected < _FREE * np.abs(end - runs.g[:, :-1]))  # that no end cuts off
        pairs.append((rest[:, 1:] * rest[:, :-1])[usable[:, 1:] & usable[:, :-1]])
        if abrupt:
            continue
        scales += [float(np.mean(scale[runs.cell == cell])) for cell in np.unique(runs.cell)]
        # The scale of a run follows its largest steps: what they leave is so much smaller than they scatter.
        leverage = np.minimum(expected**2 / np.maximum(power, 1e-12)[:, None], 0.8)
        squares.append((rest**2 / (1.0 - leverage))[usable])
        sizes.append(((scale[:, None] * expected) ** 2)[usable])
    # A reading is the end of one step and the start of the next, so that its noise makes them differ the other way.
    noise, square = max(-_mean(pairs), 0.0), _mean(squares)
    noise = min(noise, square / 2.0) if scales else noise
    update = replace(update, read_sigma_uS=float(f"{math.sqrt(noise):.4g}"))
    if not scales:
        return update
    cycle = math.sqrt(max(square - 2.0 * noise, 0.0) / max(_mean(sizes), 1e-12))
    spread = float(np.std(np.log(np.maximum(scales, 0.05))))
    return replace(update, cycle_spread=float(f"{cycle:.4g}"), cell_spread=float(f"{spread:.4g}"))


def _mean(parts: list[Reals]) -> float:
    whole = np.concatenate(parts) if parts else np.zeros(0)
    return float(whole.mean()) if whole.size else 0.0


def _with_curves(update: Update, sides: list[_Runs]) -> Update:
    """Mean readings after some of the pulses, beside those of the law."""
    n: list[float] = []
    measured: list[float] = []
    modelled: list[float] = []
    for runs in sides:
        last = runs.g.shape[1] - 1
        predicted = np.where(np.isfinite(runs.g), _predicted(update, runs), math.nan)
        for k in np.unique(np.round(np.linspace(0, last, min(last + 1, _SHOWN))).astype(int)):
            n.append(float(runs.sign * k))
            measured.append(float(f"{np.nanmean(runs.g[:, k]):.5g}"))
            modelled.append(float(f"{np.nanmean(predicted[:, k]):.5g}"))
    keys = ("g_min_uS", "g_max_uS", "up_uS", "down_uS", "up_curve", "down_curve", "up_part", "down_part")
    rounded = {key: float(f"{getattr(update, key):.5g}") for key in keys}
    return replace(update, **rounded, n=tuple(n), g_uS=tuple(measured), model_g_uS=tuple(modelled))
