"""Which parameters of a pulse response the data say something about, and how well it reproduces them."""

import math
from collections.abc import Callable

import numpy as np

from mho.macro_models.devices.sections.pulse import PulseAgreement, PulseResponse
from mho.macro_models.fit.tables.pulses import Pulses
from mho.macro_models.types import Reals

_STEP = 0.03
_NO_ERROR = 1e3  # of a parameter that the likelihood does not depend on
_LEAST_CURVATURE = 1.0 / _NO_ERROR**2
_BIN_V = 0.02
_MOST_BINS = 24
_LEAST_PULSES = 10
_COPIES = 8
_OFF, _OF_WINDOW, _ERRORS, _BINS = 0.2, 0.01, 4.0, 4  # by what mean moves may be off, in how many parts of the window
_SEED = 11


def standard_errors(cost: Callable[[Reals], float], best: Reals, prior: Reals) -> Reals:
    """Standard errors of parameters from the curvature of minus the logarithm of their likelihood.

    Parameters
    ----------
    cost
        Minus the logarithm of likelihood and priors.
    best
        Its minimum, (parameters,).
    prior
        Curvature of the priors alone, which the data are not credited with, (parameters,).

    Returns
    -------
    The root of the diagonal of the inverse: what each parameter may be off when all others follow. Directions in
    which nothing is known have an error of 1,000.
    """
    count = len(best)
    hessian = np.zeros((count, count))
    middle = cost(best)
    for a in range(count):
        for b in range(a + 1):
            da, db = np.zeros(count), np.zeros(count)
            da[a], db[b] = _STEP, _STEP
            if a == b:
                value = cost(best + da) - 2.0 * middle + cost(best - da)
            else:
                corners = [cost(best + i * da + j * db) * i * j for i in (1, -1) for j in (1, -1)]
                value = sum(corners) / 4.0
            hessian[a, b] = hessian[b, a] = value / _STEP**2
    hessian -= np.diag(prior)
    value, vector = np.linalg.eigh(hessian)
    return np.sqrt((vector**2 / np.maximum(value, _LEAST_CURVATURE)).sum(axis=1))


def agreement(data: Pulses, law: PulseResponse, pulse_s: float) -> PulseAgreement:
    """Moves after pulses of each amplitude, as measured and as cells of the law make them from the same readings.

    Each cell has a threshold, drawn once; where cells see pulses that depend on their readings (write-verify), those
    with a high threshold see higher ones, which the draw does not know: means of first and last amplitudes differ.
    """
    r = np.random.default_rng(_SEED)
    volts = np.round(data.volts / _BIN_V) * _BIN_V
    values = np.unique(volts)
    values = values[np.linspace(0, len(values) - 1, min(len(values), _MOST_BINS)).round().astype(int)]
    drawn = np.concatenate([moves(data, law, pulse_s, r)[:, None] for _ in range(_COPIES)], axis=1)
    measured = data.after_uS - data.before_uS
    rows = []
    for v in values:
        at = volts == v
        if at.sum() >= _LEAST_PULSES:
            rows.append((v, at.sum(), measured[at].mean(), drawn[at].mean(), measured[at].std(), drawn[at].std()))
    columns = [tuple(float(f"{float(x):.4g}") for x in column) for column in zip(*rows, strict=True)] or [()] * 6
    return PulseAgreement(
        volts=columns[0], n=columns[1], moved_uS=columns[2], model_moved_uS=columns[3], std_uS=columns[4],
        model_std_uS=columns[5], source=data.path.name,
    )


def moves(data: Pulses, law: PulseResponse, pulse_s: float, r: np.random.Generator) -> Reals:
    """One draw of the move of each pulse, readings with their noise."""
    cells, up = data.cells, data.volts > 0.0
    weak = np.where(r.random(cells) < law.weak_fraction, math.log(max(law.weak_factor, 1e-9)), 0.0)[data.cell]
    high = law.g_high_uS * np.exp(law.high_spread * r.standard_normal(cells))[data.cell]
    threshold = np.where(
        up, (law.set_threshold_V + law.set_spread_V * r.standard_normal(cells))[data.cell],
        (law.reset_threshold_V + law.reset_spread_V * r.standard_normal(cells))[data.cell],
    )
    rate = np.where(up, law.set_rate, law.reset_rate)
    slope = np.where(up, law.set_slope_V, law.reset_slope_V)
    excess = np.abs(data.volts) - threshold
    ln_a = np.log(np.maximum(rate, 1e-300) * data.width_s / pulse_s) + excess / slope + weak
    part = -np.expm1(-np.exp(np.minimum(ln_a + law.cycle_spread * r.standard_normal(len(up)), 50.0)))
    g = np.maximum(data.before_uS + law.verify_sigma_uS * r.standard_normal(len(up)), 0.0)
    way = np.where(up, np.maximum(high - g, 0.0), -np.maximum(g - law.g_low_uS, 0.0))
    after = g + np.where(excess >= 0.0, way * part, 0.0)
    return after + law.verify_sigma_uS * r.standard_normal(len(up)) - data.before_uS


def about_moves(data: Pulses, expected_uS: Reals, what: str) -> list[str]:
    """Names the pulses whose mean move a law misses most, by sign and where the cell was; none if it follows.

    ``expected_uS`` is the move that the law expects of each pulse, of shape (pulses,).
    """
    window, worst, sentence = float(np.ptp(data.after_uS)), 1.0, ""
    part = np.searchsorted(np.quantile(data.before_uS, np.arange(1, _BINS) / _BINS), data.before_uS)
    volts = np.sign(data.volts) * np.ceil(np.abs(data.volts) / 0.5) * 0.5
    for v in np.unique(volts):
        for k in range(_BINS):
            at = (volts == v) & (part == k)
            if at.sum() < _LEAST_PULSES:
                continue
            moved = (data.after_uS - data.before_uS)[at]
            mean, model = float(moved.mean()), float(expected_uS[at].mean())
            # Pulses of a cell are alike: as if there were as many as cells.
            error = float(moved.std()) / math.sqrt(len(np.unique(data.cell[at])))
            off = abs(model - mean) / max(_OFF * abs(mean), _OF_WINDOW * window, _ERRORS * error)
            if off > worst:
                worst = off
                sentence = (
                    f"{what} does not follow the data: pulses of {np.median(data.volts[at]):+.3g} V move cells of "
                    f"{np.median(data.before_uS[at]):.3g} uS by {mean:+.3g} uS, the law by {model:+.3g} uS"
                )
    return [sentence] if sentence else []
