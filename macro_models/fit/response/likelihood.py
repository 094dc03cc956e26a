"""The likelihood of pulses of one sign, given the end of the window of each cell."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, logsumexp

__all__ = ["PRIOR", "Terms", "weak_factor", "weak_part"]

_NODES = np.linspace(-3.0, 3.0, 17)
_LOG_WEIGHTS = -0.5 * _NODES**2 - math.log(float(np.exp(-0.5 * _NODES**2).sum()))
PRIOR = np.array([0.0, 0.25, 0.0, 0.0, 0.0, 1.0, 1.0])  # curvature of the priors of Terms.cost
_ODDS_OF_NOISE = math.log(1e-5)

Reals = NDArray[np.float64]


def weak_part(x: float) -> float:
    """Fraction of weak cells, below a half, of its parameter."""
    return 0.5 / (1.0 + math.exp(-min(max(float(x), -50.0), 50.0)))


def weak_factor(x: float) -> float:
    """By how much slower weak cells are, of its parameter."""
    return math.exp(-1.5 - math.exp(min(float(x), 1.5)))


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The likelihood of the pulses of one sign."""

    volts: Reals
    width: Reals
    log_a: Reals
    error: Reals
    smallest: Reals
    unseen: NDArray[np.bool_]
    visible: NDArray[np.bool_]
    large: NDArray[np.bool_]
    starts: NDArray[np.int64]
    jacobian: float

    @property
    def centre(self) -> float:
        """Amplitude at which rates are compared: the mean of those that move cells."""
        return float(self.volts[self.visible if self.visible.any() else self.large].mean())

    def start(self) -> Reals:
        """Parameters to begin with.

        Of thresholds mean and log deviation, log slope, log rate at the centre, log deviation from pulse to pulse, and
        of weak cells how many and how weak.
        """
        visible = self.visible & (self.error < 1.0)
        if visible.sum() < 10:
            visible = self.visible if self.visible.any() else self.large  # of cells that switch at once
        volts, value = self.volts[visible], self.log_a[visible] - self.width[visible]
        slope = 0.3
        if np.ptp(volts) > 0.0:
            gradient = float(np.polyfit(volts, value, 1)[0])
            slope = 1.0 / max(gradient, 0.5)
        rest = value - (volts - self.centre) / slope
        share = self._share_moved()
        return np.array([
            share, math.log(0.08), math.log(min(max(slope, 0.02), 5.0)), float(rest.mean()),
            math.log(max(float(rest.std()) * 0.8, 0.05)), -4.0, 0.3,
        ])

    def _share_moved(self) -> float:
        """Amplitude from which on a third of the pulses move cells."""
        step = np.round(self.volts / 0.02)
        used = self.visible | self.unseen | self.large
        for value in np.unique(step[used]):
            at = used & (step == value)
            if at.sum() >= 5 and (self.visible | self.large)[at].mean() > 0.33:
                return float(value) * 0.02 - 0.02
        return float(self.volts.min())

    def cost(self, x: Reals) -> float:
        """Minus the logarithm of the likelihood, with faint priors that keep parameters the data say nothing about."""
        threshold, log_spread, log_slope, at_mean, log_cycle, weak, factor = x
        if not (-6.0 < log_spread < 1.5 and -5.0 < log_slope < 3.0 and -5.0 < log_cycle < 1.5):
            return 1e12
        spread, slope, cycle = math.exp(log_spread), math.exp(log_slope), math.exp(log_cycle)
        nodes = threshold + spread * _NODES
        middle = at_mean + (self.volts - self.centre) / slope + self.width
        # A cell's threshold moves its rate too.
        shift = -(nodes - threshold) / slope
        slower = (0.0, math.log(weak_factor(factor)))
        normal, slow = (self._cells(nodes, middle, shift + less, cycle) for less in slower)
        fraction = weak_part(weak)
        both = np.logaddexp(normal + math.log1p(-fraction), slow + math.log(fraction))
        prior = 0.5 * ((log_spread - math.log(0.08)) / 2.0) ** 2 + 0.5 * ((weak + 4.0) / 1.0) ** 2 + 0.5 * factor**2
        return -float(both.sum()) + self.jacobian + prior

    def _cells(self, nodes: Reals, middle: Reals, shift: Reals, cycle: float) -> Reals:
        """Logarithms of the likelihood of each cell."""
        table = np.zeros((len(self.volts), len(nodes)))
        above = self.volts[:, None] >= nodes
        for chosen, density in (
            (self.visible, self._density(middle, shift, cycle)),
            (self.large, log_ndtr((middle[self.large, None] + shift - self.log_a[self.large, None]) / cycle)),
        ):
            table[chosen] = np.where(above[chosen], density, _ODDS_OF_NOISE)
        hidden = log_ndtr((self.smallest[self.unseen, None] - middle[self.unseen, None] - shift) / cycle)
        table[self.unseen] = np.where(above[self.unseen], hidden, 0.0)
        summed = np.add.reduceat(table, self.starts, axis=0)
        return np.asarray(logsumexp(summed + _LOG_WEIGHTS, axis=1))

    def _density(self, middle: Reals, shift: Reals, cycle: float) -> Reals:
        variance = cycle**2 + self.error[self.visible, None] ** 2
        away = self.log_a[self.visible, None] - middle[self.visible, None] - shift
        return -0.5 * away**2 / variance - 0.5 * np.log(2.0 * math.pi * variance)
