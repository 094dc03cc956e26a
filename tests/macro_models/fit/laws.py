"""Laws of cells that the fit has not seen, as a laboratory would measure them; the same functions give the truth."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import CAUSES, Device
from mho.macro_models.fit import fit_device, fit_law
from tests.macro_models.fit.reading import read_measurements

Reals = NDArray[np.float64]
Cells = dict[float, Reals]
R = np.random.Generator
DAYS = (0.0, 1.0, 60.0, 3600.0, 86400.0)


@dataclass(frozen=True)
class Truth:
    """``cells(r, targets, times)`` gives the conductance of each cell at each time, in uS."""

    cells: Callable[[R, Reals, tuple[float, ...]], Cells]
    low: float = 2.0
    high: float = 40.0
    levels: int = 8
    """Targets of the data; 0: any between."""
    count: int = 2000
    times: tuple[float, ...] = DAYS
    held_out: tuple[float, ...] = (10.0, 2e4)
    excuse: str = ""
    """Word of the warning without which the law must be met."""
    drifts: bool = False
    """Whether the law of drift is asked for as well."""
    at: tuple[float, ...] = field(default=(2.0, 5.0, 12.0, 25.0, 40.0))

    def targets(self, r: R) -> Reals:
        if self.levels:
            return np.linspace(self.low, self.high, self.levels)[r.integers(0, self.levels, self.count)]
        return r.uniform(self.low, self.high, self.count)


def _grown(t: float) -> float:
    return math.log10(1.0 + t / 1e-3)


def relaxing(shape: Callable[[R, int], Reals], width: Callable[[Reals], Reals], drift: float = 0.01):
    def cells(r: R, target: Reals, times: tuple[float, ...]) -> Cells:
        error, z = r.uniform(-0.5, 0.5, len(target)), shape(r, len(target))
        return {
            t: np.maximum(target + error + _grown(t) / 8.0 * (width(target) * z) - drift * _grown(t) * target, 0.0)
            for t in times
        }

    return cells


def pcm(r: R, target: Reals, times: tuple[float, ...]) -> Cells:
    """Nandakumar et al., ICECS 2019, as in aihwkit, without its read noise."""
    x = target / 25.0
    left = np.maximum(target + (0.26348 + 1.965 * x - 1.1731 * x * x) * r.normal(size=len(x)), 0.0)
    mean = np.clip(-0.0155 * np.log(x) + 0.0244, 0.049, 0.1)
    nu = np.abs(mean + np.clip(-0.0125 * np.log(x) - 0.0059, 0.008, 0.045) * r.normal(size=len(x)))
    return {t: left * ((t + 20.0) / 20.0) ** -nu for t in times}


def pcm_by_state(r: R, target: Reals, times: tuple[float, ...]) -> Cells:
    """The spread of nu is no line in the logarithm of the conductance."""
    x = target / 20.0
    left = np.maximum(target * (1.0 + 0.04 * r.normal(size=len(x))) + 0.15 * r.normal(size=len(x)), 0.02)
    nu = 0.02 + 0.08 * (1.0 - x) ** 2 + (0.005 + 0.02 * (1.0 - x)) * r.normal(size=len(x))
    return {t: left * ((t + 5.0) / 5.0) ** -nu for t in times}


def stretched(r: R, target: Reals, times: tuple[float, ...]) -> Cells:
    """A stretched exponential, each cell with a time constant of its own."""
    tau, error = 2e4 * np.exp(0.8 * r.normal(size=len(target))), 0.3 * r.normal(size=len(target))
    return {t: np.maximum((target + error) * np.exp(-((t / tau) ** 0.45)), 0.0) for t in times}


def ending(r: R, target: Reals, times: tuple[float, ...]) -> Cells:
    """Drift that ends at 1e4 s."""
    error, nu = 0.02 * r.normal(size=len(target)), np.abs(0.06 + 0.015 * r.normal(size=len(target)))
    return {t: np.maximum(target * (1.0 + error) * (min(t, 1e4) + 1.0) ** -nu, 0.0) for t in times}


def saturating(r: R, target: Reals, times: tuple[float, ...]) -> Cells:
    """Drift that bends to its end at 300 s, between two readings."""
    error, nu = 0.03 * r.normal(size=len(target)), np.abs(0.05 + 0.01 * r.normal(size=len(target)))
    return {
        t: target * (1.0 + error) * (t / math.hypot(1.0, t / 300.0) / 20.0 + 1.0) ** -nu for t in times
    }


def decaying(r: R, target: Reals, times: tuple[float, ...]) -> Cells:
    """An exponential of 5e4 s: all of the fall is between the last two readings."""
    error, part = 0.03 * r.normal(size=len(target)), 0.5 * np.exp(0.15 * r.normal(size=len(target)))
    return {t: np.maximum(target * (1.0 + error) * (1.0 - part * -math.expm1(-t / 5e4)), 0.0) for t in times}


def collapsing(r: R, target: Reals, times: tuple[float, ...]) -> Cells:
    """Cells fail by Weibull's law."""
    n = len(target)
    tau, z, error = 1e5 * r.weibull(0.7, n), r.normal(size=n), 0.3 * r.normal(size=n)
    return {t: np.where(t > tau, 0.05, np.maximum(target + error + 0.1 * _grown(t) * z, 0.0)) for t in times}


def two_mechanisms(r: R, target: Reals, times: tuple[float, ...]) -> Cells:
    a, b, error = r.normal(size=(3, len(target)))
    return {
        t: np.maximum(
            target + 0.3 * error + 1.5 * (1.0 - math.exp(-((t / 10.0) ** 0.4))) * a
            - 0.12 * target * (1.0 - math.exp(-((t / 5e4) ** 0.6))) * (1.0 + 0.4 * b), 0.0,
        )
        for t in times
    }


def bimodal(r: R, target: Reals, times: tuple[float, ...]) -> Cells:
    low, z, error = r.random(len(target)) < 0.178, r.normal(size=len(target)), r.normal(size=len(target))
    return {
        t: np.maximum(target + 0.2 * error + 0.08 * _grown(t) * z - np.where(low, 0.05 * _grown(t) * target, 0.0), 0.0)
        for t in times
    }


def walking(r: R, target: Reals, times: tuple[float, ...]) -> Cells:
    """Independent steps in each decade: cells do not keep their rank."""
    g, by_time, last = target + 0.3 * r.normal(size=len(target)), {}, 0.0
    for t in sorted(times):
        g = g + math.sqrt(max(_grown(t) - last, 0.0)) * 0.5 * r.normal(size=len(target))
        last = _grown(t)
        by_time[t] = np.maximum(g, 0.0)
    return by_time


def _wide(target: Reals) -> Reals:
    return 0.6 + 1.6 * np.sqrt(target / 40.0)


LAWS = {
    "normal": Truth(relaxing(lambda r, n: r.normal(size=n), _wide)),
    "heavy tails": Truth(relaxing(lambda r, n: r.standard_t(4, n), _wide), count=4000, excuse="tails"),
    "skewed": Truth(relaxing(lambda r, n: r.gamma(2.0, size=n) - 2.0, _wide), count=4000),
    "state-dependent": Truth(relaxing(lambda r, n: r.normal(size=n), lambda g: 0.3 + 3.0 * g / 40 * (1.15 - g / 40))),
    "near g_min": Truth(
        relaxing(lambda r, n: r.normal(size=n), _wide), low=0.5, levels=0, count=4000, at=(0.5, 0.8, 1.2, 2.0, 3.0),
        excuse="read 0 uS",
    ),
    "continuous": Truth(relaxing(lambda r, n: r.normal(size=n), _wide), levels=0, count=500, excuse="cells"),
    "twenty cells": Truth(relaxing(lambda r, n: r.normal(size=n), _wide), levels=0, count=20, excuse="cells"),
    "pcm": Truth(pcm, low=2.5, high=25.0, at=(2.5, 6.0, 12.0, 20.0, 25.0)),
    "pcm, late": Truth(
        pcm, low=2.5, high=25.0, times=(0.0, 3600.0, 86400.0, 1e7), held_out=(1.0, 60.0, 1e6), levels=0, count=3000,
        at=(2.5, 6.0, 12.0, 20.0, 25.0), excuse="cells",
    ),
    "two mechanisms": Truth(two_mechanisms, excuse="logarithm"),
    "bimodal": Truth(bimodal, excuse=""),
    "walking": Truth(walking),
    "pcm by state": Truth(pcm_by_state, drifts=True, high=20.0, at=(2.0, 5.0, 10.0, 15.0, 20.0)),
    "stretched": Truth(stretched, excuse="logarithm"),
    "ending": Truth(
        ending, high=25.0, times=(0.0, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6), held_out=(30.0, 3e4, 3e5),
        at=(2.0, 5.0, 12.0, 20.0, 25.0), count=800, excuse="cells",
    ),
    "saturating": Truth(saturating, drifts=True, high=25.0, at=(2.5, 12.0, 25.0), excuse="logarithm"),
    "decaying": Truth(decaying, drifts=True, high=25.0, at=(5.0, 12.0, 25.0), excuse="of the fall"),
    "twenty of two kinds": Truth(bimodal, count=20, excuse="another kind"),
    "collapsing": Truth(collapsing, low=8.0, count=1500, at=(10.0, 25.0, 40.0), excuse="cells"),
    "light": Truth(relaxing(lambda r, n: r.uniform(-1.7, 1.7, n), _wide)),
}


def write(path: Path, target: Reals, cells: Cells) -> Path:
    rows = [f"{c},{t:.10g},{g:.6g},{target[c]:.6g}" for t, values in cells.items() for c, g in enumerate(values)]
    path.write_text("\n".join(["cell,t_s,g_uS,g_target_uS", *rows]) + "\n")
    return path


def fitted(path: Path, truth: Truth, seed: int = 0, model: str = "auto") -> Device:
    r = np.random.default_rng(seed)
    target = truth.targets(r)
    data = read_measurements(write(path, target, truth.cells(r, target, truth.times)))
    return fit_law(data, name="mine") if truth.drifts else fit_device(data, name="mine", model=model)


def compared(device: Device, truth: Truth, cells: int = 20_000) -> list[tuple[float, float, float, float, float]]:
    """(time, target, model's mean less the truth's, true deviation, model's deviation over the truth's)."""
    rows = []
    for k, g in enumerate(truth.at):
        target = np.full(cells, g)
        times = tuple(sorted((*truth.times, *truth.held_out)))
        true_g = truth.cells(np.random.default_rng(100 + k), target, times)
        for t in times:
            drawn = programmed(target, device=device, seed=k, core=0, time_s=t, causes=frozenset(CAUSES)).g_uS
            std = float(true_g[t].std())
            rows.append((t, g, float(drawn.mean() - true_g[t].mean()), std, float(drawn.std()) / max(std, 1e-9)))
    return rows
