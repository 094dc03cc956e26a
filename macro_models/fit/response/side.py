"""Pulses of one sign: which move cells, where cells end, and the law that fits them best."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr, logsumexp

from mho.macro_models.errors import InputError
from mho.macro_models.fit.response.identified import standard_errors
from mho.macro_models.fit.tables.pulses import Pulses
from mho.macro_models.types import Flags, Integers, Reals

_NODES = np.linspace(-3.0, 3.0, 17)
_LOG_WEIGHTS = -0.5 * _NODES**2 - math.log(float(np.exp(-0.5 * _NODES**2).sum()))
PRIOR = np.array([0.0, 0.25, 0.0, 0.0, 0.0, 1.0, 1.0])  # curvature of the priors of Terms.cost
_ODDS_OF_NOISE = math.log(1e-5)


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
    unseen: Flags
    visible: Flags
    large: Flags
    starts: Integers
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


SEEN = 3.5  # deviations of the noise of a difference of two readings from which on it counts as a move
_MOST_MOVED = 0.9  # of the way: beyond, the exponent is known to be large and no more
_FEWEST = 40  # pulses of one sign that move cells
_MOST_PULSES = 6_000
PARAMETERS = ("threshold_V", "spread_V", "slope_V", "rate", "cycle_spread", "weak_fraction", "weak_factor")


def deviation(values: Reals) -> float:
    """Standard deviation, not of the tails."""
    low, high = np.quantile(values, [0.1587, 0.8413])
    return float(high - low) / 2.0


@dataclass(frozen=True)
class Found:
    """What was found of the pulses of one sign."""

    end_uS: float
    end_spread: float
    ended: bool
    threshold: float
    spread: float
    slope: float
    rate: float
    cycle: float
    weak: float
    weak_factor: float
    moves: int
    errors: tuple[float, ...]
    """Standard errors, in the order of ``PARAMETERS``: of the threshold in V, of the others relative."""


class Side:
    """Pulses of one sign. Amplitudes are counted positive."""

    def __init__(self, data: Pulses, sign: float, noise: float, pulse_s: float, name: str, kind: str) -> None:
        self.sign, self.noise = sign, math.sqrt(2.0) * noise
        self.name, self.kind = name, kind
        moved = sign * (data.after_uS - data.before_uS) > SEEN * self.noise
        if moved.sum() < _FEWEST:
            raise InputError(
                f"{name}: {int(moved.sum())} {kind} pulses move a cell by more than the noise of the readings, at "
                f"least {_FEWEST} are needed to fit the response to pulses"
            )
        self.ends, self.ended = self._ends(data)
        keep = self._thinned(data)
        self.cell = np.unique(data.cell[keep], return_inverse=True)[1]
        self.volts = sign * data.volts[keep]
        self.width = np.log(data.width_s[keep] / pulse_s)
        self.before, self.after = data.before_uS[keep], data.after_uS[keep]
        self.own_end = self.ends[data.cell[keep]]
        self.starts = np.flatnonzero(np.concatenate([[True], self.cell[1:] != self.cell[:-1]]))
        self.moves = int(moved.sum())
        self.top = float(np.max(sign * data.after_uS))

    @staticmethod
    def _thinned(data: Pulses) -> Flags:
        """Some of the cells, so that there are not more pulses than the fit needs."""
        every = max(1, math.ceil(len(data.volts) / _MOST_PULSES))
        return data.cell % every == 0

    def _ends(self, data: Pulses) -> tuple[Reals, bool]:
        """End of the window of each cell that reached it, NaN of others, in uS, and whether enough cells did.

        A cell has ended if its last three pulses of rising or equal amplitude did not move it any more, though it had
        come far before: less than a thirtieth of its way.
        """
        ends = np.full(data.cells, math.nan)
        moved = self.sign * (data.after_uS - data.before_uS)
        order = np.argsort(data.cell, kind="stable")
        bounds = np.flatnonzero(np.diff(data.cell[order])) + 1
        for rows in np.split(order, bounds):
            way = float(moved[rows].sum())
            if len(rows) < 6 or way < 20.0 * self.noise:
                continue
            # The last run of pulses with only this sign between them.
            last = rows[-3:]
            if abs(float(moved[last].sum())) < max(way / 30.0, 3.0 * self.noise) and (
                self.sign * data.volts[last[0]] >= np.quantile(self.sign * data.volts[rows], 0.5)
            ):
                ends[data.cell[rows[0]]] = float(np.median(data.after_uS[last]))
        finite = np.isfinite(ends)
        return ends, bool(finite.sum() >= 20 and finite.sum() >= 0.3 * len(np.unique(data.cell)))

    def fit(self) -> Found:
        """Maximum of the likelihood."""
        if self.ended:
            finite = self.ends[np.isfinite(self.ends)]
            if self.sign > 0.0:
                end = float(np.median(finite))
                spread = deviation(np.log(np.maximum(finite, 1e-6))) if len(finite) >= 20 else 0.0
                spread = math.sqrt(max(spread**2 - (self.noise / math.sqrt(2.0) / end) ** 2, 0.0))
            else:
                end, spread = float(np.median(finite)), 0.0
            cell_end = np.where(np.isfinite(self.own_end), self.own_end, end)
            return self._at(cell_end, end, spread)
        costs = [self._search(self._terms(np.full(len(self.before), end)), 1, 150)[1] for end in self._candidates()]
        end = self._candidates()[int(np.argmin(costs))]
        return self._at(np.full(len(self.before), end), end, 0.0)

    def _candidates(self) -> list[float]:
        if self.sign > 0.0:
            return [self.top * f for f in (1.05, 1.2, 1.5, 2.0, 3.0, 5.0)]
        return [-self.top * f for f in (0.95, 0.8, 0.5, 0.25, 0.0)]

    def _terms(self, cell_end: Reals) -> Terms:
        """The likelihood, with the end of its cell's window for each pulse."""
        way = self.sign * (cell_end - self.before)
        moved = self.sign * (self.after - self.before)
        # Near its end a cell says nothing.
        usable = way > np.maximum(8.0 * self.noise, 0.1 * np.maximum(np.abs(cell_end), 1e-9) * (self.sign > 0.0))
        part = np.clip(moved / np.maximum(way, 1e-12), 1e-9, _MOST_MOVED)
        log_a = np.log(-np.log1p(-part))
        a = np.exp(log_a)
        error = self.noise / (np.maximum(way, 1e-12) * a * np.exp(-a))
        smallest = np.log(-np.log1p(-np.clip(SEEN * self.noise / np.maximum(way, 1e-12), 1e-9, _MOST_MOVED)))
        visible, large = usable & (moved > SEEN * self.noise), usable & (moved > _MOST_MOVED * way)
        jacobian = float(np.log(way[visible & ~large] * a[visible & ~large] * np.exp(-a[visible & ~large])).sum())
        return Terms(
            volts=self.volts, width=self.width, log_a=log_a, error=error, smallest=smallest, unseen=usable & ~visible,
            visible=visible & ~large, large=large, starts=self.starts, jacobian=jacobian,
        )

    @staticmethod
    def _search(terms: Terms, turns: int, evaluations: int) -> tuple[Reals, float]:
        """Parameters and cost. The simplex starts anew until that does not help."""
        cost, best = math.inf, terms.start()
        for _ in range(turns):
            result = minimize(
                terms.cost, best, method="Nelder-Mead",
                options={"maxfev": evaluations, "xatol": 1e-3, "fatol": 1e-2},
            )
            improved = cost - float(result.fun)
            cost, best = float(result.fun), result.x
            if improved < 0.1:
                break
        return best, cost

    def _at(self, cell_end: Reals, end: float, spread: float) -> Found:
        terms = self._terms(cell_end)
        best, _ = self._search(terms, 4, 400)
        threshold, log_spread, log_slope, at_mean, log_cycle, weak, factor = best
        slope = math.exp(log_slope)
        return Found(
            end_uS=end, end_spread=spread, ended=self.ended, threshold=float(threshold),
            spread=math.exp(log_spread), slope=slope,
            rate=math.exp(at_mean + (threshold - terms.centre) / slope), cycle=math.exp(log_cycle),
            weak=weak_part(weak), weak_factor=weak_factor(factor), moves=self.moves,
            errors=tuple(standard_errors(terms.cost, best, PRIOR).tolist()),
        )
