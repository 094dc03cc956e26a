"""Devices that the same measurement could as well have given, and those of cells that were switched before."""

import math
from dataclasses import replace

import numpy as np
from scipy.special import ndtri

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.quantiles import node_moments
from mho.macro_models.devices.sections.fit import small_sample, upwards
from mho.macro_models.devices.sections.heat import Temperature
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.types import Reals, Rows

_MOST_SPREAD = 1.0  # of the logarithm of a deviation: how far a level with hardly a cell may move
_LEAST_PART = 0.04  # of its variance that a change keeps in a device drawn anew
_LARGEST_EV = 10.0



class _Draws:
    """Standard normal numbers that belong to one device drawn anew."""

    def __init__(self, draw: int) -> None:
        self.bits = np.random.Philox(key=draw)

    def normal(self, *shape: int) -> Reals:
        raw = np.asarray(self.bits.random_raw(math.prod(shape)))
        return ndtri((np.floor(raw / 2.0**11) + 0.5) / 2.0**53).reshape(shape)

    def student(self, freedom: Reals) -> Reals:
        """Student's t, one for each of ``freedom``: that of the Wilson-Hilferty approximation of chi-squared."""
        ninth = 2.0 / (9.0 * np.maximum(freedom, 1.0))
        chi = np.maximum(1.0 - ninth + np.sqrt(ninth) * self.normal(len(freedom)), 0.1) ** 3
        return 1.0 / np.sqrt(chi)


def resampled(device: Device, draw: int) -> Device:
    """Device number ``draw`` of those that the same measurement could have given; the device itself without errors.

    Means and deviations of its law at each time and level are moved by their errors, with Student's factor for few
    cells; shapes stay. The activation energy moves by its own error.
    """
    confidence, law = device.confidence, device.law
    if not confidence.known:
        return device
    if confidence.names:
        return _numbers_moved(device, _Draws(draw))
    draws, times, levels = _Draws(draw), len(law.times_s), len(law.levels_uS)
    cells = np.array(confidence.level_cells)
    freedom = np.maximum(cells - 1.0, 1.0)
    mean = _correlated(confidence.mean_memory, draws.normal(times, levels)) * np.array(confidence.mean_error_uS)
    mean *= draws.student(freedom)
    normal = _correlated(confidence.spread_memory, draws.normal(times, levels))
    spread = normal * np.where(normal > 0.0, upwards(cells), 1.0) * np.array(confidence.spread_error)
    spread = np.clip(spread, -_MOST_SPREAD, _MOST_SPREAD) + 0.5 * np.log([small_sample(n) for n in cells])
    if confidence.dies > 1:
        widen = float(draws.student(np.array([confidence.dies - 1.0]))[0])
        mean += widen * float(draws.normal(1)[0]) * np.array(confidence.die_mean_uS)[:, None]
        spread += widen * float(draws.normal(1)[0]) * np.array(confidence.die_spread)[:, None]
    lost = math.exp(confidence.lost_error * float(draws.normal(1)[0]))
    return replace(device, law=moved_law(law, mean, spread, lost), temperature=_heated(device, draws))


def _heated(device: Device, draws: _Draws) -> Temperature:
    """The law of temperature with another energy."""
    energy = device.temperature.activation_eV + device.temperature.error_eV * float(draws.normal(1)[0])
    return replace(device.temperature, activation_eV=min(max(energy, 0.0), _LARGEST_EV))


def _numbers_moved(device: Device, draws: _Draws) -> Device:
    """A device whose law has a section of its own: its numbers move together, with Student's factor."""
    confidence = device.confidence
    freedom = (confidence.dies if confidence.dies > 1 else confidence.cells) - 1.0
    away = _correlated(confidence.memory, draws.normal(len(confidence.names), 1))[:, 0] * np.array(confidence.errors)
    away *= float(draws.student(np.array([freedom]))[0])
    moved = device.moved(dict(zip(confidence.names, away.tolist(), strict=True)))
    return replace(moved, temperature=_heated(device, draws))


def _correlated(memory: Rows, normal: Reals) -> Reals:
    """Numbers with the correlation ``memory`` of their first axis, each of variance 1."""
    value, vector = np.linalg.eigh(np.array(memory))
    return (vector * np.sqrt(np.maximum(value, 0.0))) @ vector.T @ normal


def moved_law(law: Law, mean: Reals, spread: Reals, lost: float = 1.0) -> Law:
    """The law with other means and deviations of g - target, and a factor on the part of lost cells.

    ``mean`` in uS and ``spread``, of the logarithm of the deviation, are what is added, of shape (times, levels).
    """
    table = law.table
    middle, deviation = node_moments(table)
    share = np.array(law.kept)[:, None]
    first = deviation[0] * np.exp(spread[0])
    total = deviation**2 + (share * deviation[0]) ** 2
    variance = total * np.exp(2.0 * spread) - (share * first) ** 2
    target_std = np.sqrt(np.maximum(variance, _LEAST_PART * deviation**2))
    shift = mean - share * mean[0]
    target_std[0], shift[0] = first, mean[0]
    factor = np.where(deviation > 0.0, target_std / np.maximum(deviation, 1e-12), 1.0)
    moved = (middle + shift)[..., None] + (table - middle[..., None]) * factor[..., None]
    return Law(
        model="empirical", temp_C=law.temp_C, levels_uS=law.levels_uS, times_s=law.times_s, kept=law.kept,
        lost=tuple(tuple(min(v * lost, 1.0) for v in row) for row in law.lost), lost_uS=law.lost_uS, loss=law.loss,
        quantiles_uS=tuple(tuple(tuple(level) for level in row) for row in moved.tolist()), onset_s=law.onset_s,
        memory=law.memory, die=law.die, cell=law.cell, source=law.source,
    )

_CLEAR = 2.0  # standard errors from which a trend is one
_LEAST = 0.1  # part of a deviation that is left however far it is extrapolated


def cycled(device: Device, cycles: int) -> tuple[Device, list[str]]:
    """The device of cells that were switched ``cycles`` times (0 and more) before, and what is in doubt.

    Cells that keep a share of their places only (:attr:`Law.cell`) have the rest drawn for this programming. Where the
    data had cells of several ages, the trends of mean and deviation with the logarithm of cycles move the law; those
    within two standard errors of nothing do not.
    """
    law, fit = device.law, device.fit
    worn = replace(device, programming=replace(device.programming, cycle=cycles))
    if not fit.cycles_times_s or not fit.cycles_range or not law.model:
        unknown = f"{device.name} does not say what switching does: {cycles:,} cycles"
        again = "draw what differs from one programming to the next" if device.redraws else "change nothing"
        return worn, [f"{unknown} {again}"]
    fewest, usual, most = fit.cycles_range
    decades = math.log10((1.0 + cycles) / (1.0 + usual))
    mean, spread = np.zeros((len(law.times_s), len(law.levels_uS))), np.zeros((len(law.times_s), len(law.levels_uS)))
    trends = zip(
        fit.cycles_times_s, fit.cycles_mean_uS, fit.cycles_mean_error_uS, fit.cycles_spread, fit.cycles_spread_error,
        strict=True,
    )
    for time_s, move, move_error, widen, widen_error in trends:
        row = int(np.argmin(np.abs(np.array(law.times_s) - time_s)))
        if abs(move) > _CLEAR * move_error:
            mean[row] = move * decades
        if abs(widen) > _CLEAR * widen_error:
            spread[row] = math.log(max(1.0 + widen * decades, _LEAST))
    doubts = []
    if not fewest <= cycles <= most:
        doubts.append(
            f"{device.name} is fitted to cells switched {fewest:.4g} to {most:.4g} times: {cycles:,} are extrapolated "
            "along the logarithm"
        )
    return replace(worn, law=moved_law(law, mean, spread)), doubts
