"""Between the levels of a law: further ones where they lie far apart, and whether the data show what is there."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.quantiles import node_moments
from mho.macro_models.devices.sections.fit import Confidence
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.types import Reals

_FAR, _STEP = 5.0, 2.5  # quotient of two levels from which on further ones lie between them, and how far apart those
_OF_SPREAD, _OF_STD, _OF_LEVEL = 0.2, 0.3, 0.04  # by how much a level may be off that is foreseen by the others
_ERRORS, _WIDE = 3.0, 1.5
_LEAST = 1e-9


def with_levels_between(device: Device) -> Device:
    """The device with further levels where two of its law are more than a factor of five apart.

    A law is linear in the target between two levels. Shape-preserving cubics (Fritsch and Carlson, 1980) join medians
    over the target, and lines in logarithms of both the scales of the distributions, so that powers of the target are
    exact. Of fewer than three levels nothing more is known.
    """
    law, confidence, heat = device.law, device.confidence, device.heat
    old = np.array(law.levels_uS)
    new = _levels(old)
    if len(new) == len(old):
        return device
    if confidence.known:
        confidence = replace(
            confidence, level_cells=_rows(_linear(old, new, confidence.level_cells)),
            mean_error_uS=_rows(_scales(old, new, confidence.mean_error_uS)),
            spread_error=_rows(_linear(old, new, confidence.spread_error)),
        )
    if heat.lost_levels:
        heat = replace(heat, lost_levels=_rows(_linear(old, new, heat.lost_levels)))
    if heat.quantiles_uS:
        heat = replace(heat, quantiles_uS=_rows(_tables(old, new, heat.quantiles_uS)))
    return replace(device, law=_filled(law, new), confidence=confidence, heat=heat)


def _levels(old: Reals) -> Reals:
    """The levels with those between them, in uS."""
    parts = [old[:1]]
    for a, b in pairwise(old.tolist()):
        far = len(old) > 2 and a > 0.0 and b > _FAR * a
        parts.append(np.geomspace(a, b, math.ceil(math.log(b / a) / math.log(_STEP)) + 1)[1:-1] if far else old[:0])
        parts.append(np.array([b]))
    return np.concatenate(parts)


def _filled(law: Law, new: Reals) -> Law:
    """The law with rows at the levels ``new``, those of its own among them."""
    old, rows = np.array(law.levels_uS), dict[str, Any]()
    if law.model == "empirical":
        rows["quantiles_uS"] = _rows(_tables(old, new, law.quantiles_uS))
    else:
        rows["shift_uS"] = _rows(_curve(old, new, law.shift_uS))
        rows |= {name: _rows(_scales(old, new, getattr(law, name))) for name in ("low_uS", "high_uS")}
        nearest = np.abs(_log(new)[:, None] - _log(old)).argmin(axis=1)
        for name in ("low_tail", "high_tail", "low_ratio", "high_ratio"):
            rows[name] = _rows(np.array(getattr(law, name))[:, nearest])
    if law.lost:
        rows["lost"] = _rows(_linear(old, new, law.lost))
    filled = replace(law, levels_uS=_rows(new), **rows)
    if law.model == "empirical":
        return filled
    # Cores are narrow where tails are many: with those of the nearest level, both together are as wide as foreseen.
    foreseen, joined = _scales(old, new, node_moments(law.table)[1]), node_moments(filled.table)[1]
    times = np.where(np.isin(new, old), 1.0, foreseen / np.maximum(joined, _LEAST))
    return replace(filled, **{name: _rows(np.array(getattr(filled, name)) * times) for name in ("low_uS", "high_uS")})


def _tables(old: Reals, new: Reals, quantiles: Any) -> Reals:
    """Quantiles at the nodes, of shape (rows, levels, nodes)."""
    table = np.array(quantiles)
    mean, scale = node_moments(table)
    scale = np.maximum(scale, _LEAST)
    shape = _linear(old, new, ((table - mean[..., None]) / scale[..., None]).swapaxes(1, 2)).swapaxes(1, 2)
    return _curve(old, new, mean)[..., None] + shape * _scales(old, new, scale)[..., None]


def _log(levels_uS: Reals) -> Reals:
    return np.log(np.maximum(levels_uS, _LEAST))


def _curve(old: Reals, new: Reals, values: Any) -> Reals:
    """Values of the levels, the last axis, at others, by cubics."""
    from scipy.interpolate import PchipInterpolator

    return PchipInterpolator(old, np.array(values), axis=-1)(new)


def _scales(old: Reals, new: Reals, values: Any) -> Reals:
    """Those of positive values: straight lines of logarithms, which errors of levels close by do not bend."""
    return np.exp(_linear(old, new, np.log(np.maximum(np.array(values), _LEAST))))


def _linear(old: Reals, new: Reals, values: Any) -> Reals:
    return np.apply_along_axis(lambda row: np.interp(_log(new), _log(old), row), -1, np.array(values))


def _rows(values: Reals) -> tuple[Any, ...]:
    """Rounded, as nested tuples."""
    return tuple(_rows(row) if np.ndim(row) else float(f"{row:.6g}") for row in values)


def about_between(law: Law, confidence: Confidence, range_uS: tuple[float, float]) -> list[str]:
    """What is not known between levels: each is left out in turn, and foreseen by the others.

    Of a single one, or of two far apart, nothing shows what the others are like.
    """
    levels = np.array(law.levels_uS)
    low, high = max(range_uS[0], _LEAST), range_uS[1]
    if len(levels) < 2 and high > _WIDE * low:
        return [
            f"one level, {levels[0]:.3g} uS: its law is taken for all targets from {range_uS[0]:g} to {high:g} uS, "
            "which no data show; program cells to other levels too"
        ]
    if len(levels) == 2 and levels[1] > _WIDE * levels[0]:
        return [
            f"two levels: between {levels[0]:.3g} and {levels[1]:.3g} uS the law is taken as linear in the target, "
            "which no data show; program cells to levels between them"
        ]
    worst, sentence, shares = 1.0, "", np.array([1.0, *law.kept[1:]])
    for k in range(1, len(levels) - 1):
        mean, std = _moments(law.table[:, k], shares)
        mean_off, wide_off = (np.abs(guess - true) for guess, true in zip(
            _moments(_at(_without(law, k), float(levels[k])), shares), (mean, std), strict=True
        ))
        wide_off /= np.maximum(std, 1e-3 * levels[k])
        error = np.array(confidence.mean_error_uS)[:, k], np.array(confidence.spread_error)[:, k]
        parts = (
            mean_off / np.maximum(np.maximum(_OF_STD * std, _OF_LEVEL * levels[k]), _ERRORS * error[0]),
            wide_off / np.maximum(_OF_SPREAD, _ERRORS * error[1]),
        )
        off = max(float(part.max()) for part in parts)
        if off > worst:
            row, worst = int(np.maximum(*parts).argmax()), off
            sentence = (
                f"between {levels[k - 1]:.3g} and {levels[k + 1]:.3g} uS the law is not foreseen by its other levels: "
                f"without the cells of {levels[k]:.3g} uS it would be off there by {mean_off[row]:.2g} uS in the mean "
                f"and {wide_off[row]:.0%} in the deviation at {law.times_s[row]:g} s; targets between levels are that "
                "uncertain, program cells to more of them"
            )
    return [sentence] if sentence else []


def _moments(table: Reals, shares: Reals) -> tuple[Reals, Reals]:
    """Mean and deviation of g - target at each time, of shape (times,), with what is kept of the first row's."""
    mean, std = node_moments(table)
    later = np.arange(len(mean)) > 0
    return mean + later * shares * mean[0], np.hypot(std, later * shares * std[0])


def _without(law: Law, k: int) -> Law:
    """The law without one of its levels, as it would be joined up."""
    names = ("shift_uS", "low_uS", "high_uS", "low_tail", "high_tail", "low_ratio", "high_ratio", "quantiles_uS")
    rest = {name: tuple(row[:k] + row[k + 1 :] for row in getattr(law, name)) for name in (*names, "lost")}
    law = replace(law, levels_uS=law.levels_uS[:k] + law.levels_uS[k + 1 :], **rest)
    return _filled(law, new) if len(new := _levels(np.array(law.levels_uS))) > len(law.levels_uS) else law


def _at(law: Law, target_uS: float) -> Reals:
    """Quantiles of one target at each time, of shape (times, nodes)."""
    return np.concatenate([law.at(row, target_uS) for row in law.table])
