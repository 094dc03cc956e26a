"""The pulse response of a device (:mod:`macro_models.cells.pulses`) from the readings after each of many pulses.

Maximum likelihood. Where a reading differs from the one before by more than noise can, the exponent of the move,

    ln a = ln(rate * width / pulse_s) + (V - V_th) / slope + spread * z,

is known up to the noise of the two readings; where it does not, the exponent is below what could be seen, or V below
the threshold; near the end of the window it is above. The threshold of a cell is integrated over, and a cell is weak
or not (:class:`_Side`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr, logsumexp

from macro_models.devices.sections.programming import Stuck
from macro_models.devices.sections.pulse import PulseAgreement, PulseResponse
from macro_models.errors import InputError
from macro_models.fit.response.identified import agreement, standard_errors
from macro_models.fit.tables.pulses import LEAST_PULSES, Pulses
from macro_models.fit.tables.stuck import stuck_section

__all__ = ["PulseFit", "fit_pulses"]

_SEEN = 3.5  # deviations of the noise of a difference of two readings from which on it counts as a move
_MOST_MOVED = 0.9  # of the way: beyond, the exponent is known to be large and no more
_FEWEST = 40  # pulses of one sign that move cells
_MOST_PULSES = 6_000
_LEAST_NOISE_US = 1e-4
_NODES = np.linspace(-3.0, 3.0, 17)
_LOG_WEIGHTS = -0.5 * _NODES**2 - math.log(float(np.exp(-0.5 * _NODES**2).sum()))
_PARAMETERS = ("threshold_V", "spread_V", "slope_V", "rate", "cycle_spread", "weak_fraction", "weak_factor")
_PRIOR = np.array([0.0, 0.25, 0.0, 0.0, 0.0, 1.0, 1.0])  # curvature of the priors of _Terms.cost
_KNOWN = {
    "threshold_V": 0.1, "spread_V": 0.7, "slope_V": 0.35, "rate": 1.0, "cycle_spread": 0.35, "weak_fraction": 1.0,
    "weak_factor": 1.0,
}
"""Standard errors from which on a parameter is not known: of the threshold in V, of the others of their logarithms."""
_ODDS_OF_NOISE = math.log(1e-5)

Reals = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PulseFit:
    """What was found."""

    pulse: PulseResponse
    stuck: Stuck
    """Cells that no pulse moves; fraction 0 if there are none."""
    cells: int
    pulses: int
    agreement: PulseAgreement


def fit_pulses(data: Pulses, pulse_s: float, progress: Callable[[int, int], None] | None = None) -> PulseFit:
    """Fit the response to pulses.

    Parameters
    ----------
    pulse_s
        Width of pulse to which the rates refer, in seconds.
    progress
        Called with (steps done, steps).

    Raises
    ------
    InputError
        If there are fewer than 200 pulses, or too few of one sign that move cells.
    """
    if len(data.volts) < LEAST_PULSES:
        raise InputError(
            f"{data.path}: {len(data.volts)} pulses with a reading before and after are too few to fit the response to "
            f"pulses, at least {LEAST_PULSES} are needed (the pulse_ columns may be left out)"
        )
    for name, sign in (("positive (SET)", 1.0), ("negative (RESET)", -1.0)):
        if not (sign * data.volts > 0.0).any():
            raise InputError(
                f"{data.path}: has no pulses with a {name} pulse_V; both signs are needed to fit the response to pulses"
            )
    noise = _noise(data)
    stuck = _never_moved(data, noise)
    moving = data.where(~stuck[data.cell])
    sides = {}
    for done, (kind, sign) in enumerate((("SET", 1.0), ("RESET", -1.0))):
        side = _Side(moving.where(sign * moving.volts > 0.0), sign, noise, pulse_s, data.path.name, kind)
        sides[kind] = side.fit()
        if progress is not None:
            progress(done + 1, 2)
    up, down = sides["SET"], sides["RESET"]
    first = np.log(np.maximum(data.first_uS[~stuck], 1e-6))
    many = np.array([up.moves, down.moves], dtype=np.float64) / (up.moves + down.moves)

    def both(name: str) -> float:
        return _rounded(float(many @ [getattr(up, name), getattr(down, name)]))

    pulse = PulseResponse(
        g_low_uS=_rounded(down.end_uS), g_high_uS=_rounded(up.end_uS), high_spread=_rounded(up.end_spread),
        initial_uS=_rounded(math.exp(float(np.median(first)))), initial_spread=_rounded(_deviation(first)),
        set_threshold_V=_rounded(up.threshold), reset_threshold_V=_rounded(down.threshold),
        set_spread_V=_rounded(up.spread), reset_spread_V=_rounded(down.spread), set_slope_V=_rounded(up.slope),
        reset_slope_V=_rounded(down.slope), set_rate=_rounded(up.rate), reset_rate=_rounded(down.rate),
        cycle_spread=both("cycle"), weak_fraction=both("weak"), weak_factor=both("weak_factor"),
        verify_sigma_uS=_rounded(noise), source=_source(data, up, down, pulse_s),
    )
    return PulseFit(
        pulse=pulse,
        stuck=stuck_section(data.first_uS[stuck], data.cells, f"{data.path.name}, not moved by pulses"),
        cells=data.cells,
        pulses=len(data.volts),
        agreement=_agreement(moving, pulse, up, down, pulse_s),
    )


def _agreement(data: Pulses, pulse: PulseResponse, up: "_Found", down: "_Found", pulse_s: float) -> PulseAgreement:
    """Residuals, standard errors, and the names of parameters that are not known."""
    errors, unknown = [], []
    for name, side in (("set", up), ("reset", down)):
        known = dict(zip(_PARAMETERS, side.errors, strict=True))
        # The rate is known at the amplitudes of the data; at the threshold as well as that is.
        known["rate"] = math.hypot(known["rate"], known["threshold_V"] / side.slope)
        own = ("threshold_V", "spread_V", "slope_V", "rate")
        errors += [known[key] for key in own]
        unknown += [f"{name}_{key}" for key in own if known[key] > _KNOWN[key]]
        if not side.ended:
            unknown.append("g_high_uS" if name == "set" else "g_low_uS")
    for key in ("cycle_spread", "weak_fraction", "weak_factor"):
        if min(dict(zip(_PARAMETERS, side.errors, strict=True))[key] for side in (up, down)) > _KNOWN[key]:
            unknown.append(key)
    return replace(
        agreement(data, pulse, pulse_s), unknown=", ".join(unknown),
        errors=tuple(float(f"{min(e, 1e3):.3g}") for e in errors),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _source(data: Pulses, up: "_Found", down: "_Found", pulse_s: float) -> str:
    ends = [f"{name} is {'seen' if side.ended else 'extrapolated'}"
            for name, side in (("g_high", up), ("g_low", down))]
    width = "" if data.width_is_known else f"; widths are not in the data, {pulse_s:g} s is assumed"
    return (
        f"{data.path.name}: maximum likelihood of {len(data.volts)} pulses of {data.cells} cells; {', '.join(ends)}; "
        f"forming is not part of the data{width}"
    )


def _deviation(values: Reals) -> float:
    """Standard deviation, not of the tails."""
    low, high = np.quantile(values, [0.1587, 0.8413])
    return float(high - low) / 2.0


def _noise(data: Pulses) -> float:
    """Standard deviation of a reading, in uS: from the moves against the sign of the pulses, which are but noise.

    Where a pulse moves nothing half of all moves are of that kind, elsewhere fewer: of the groups of equal amplitude
    and similar conductance that with most of them decides.
    """
    against = np.sign(data.volts) * (data.after_uS - data.before_uS)
    steps = np.round(data.volts / 0.02).astype(np.int64)
    group = np.searchsorted(np.quantile(data.before_uS, [0.25, 0.5, 0.75]), data.before_uS)
    _, which = np.unique(np.stack([steps, group], axis=1), axis=0, return_inverse=True)
    order = np.argsort(which.reshape(-1), kind="stable")
    most, found = 0.05, 0.0
    for moved in np.split(against[order], np.cumsum(np.bincount(which.reshape(-1)))[:-1]):
        backwards = -moved[moved < 0.0]
        share = len(backwards) / len(moved)
        if len(backwards) >= 10 and min(share, 0.42) > most:
            # Deviation of half a normal law about 0, by its median.
            most, found = min(share, 0.42), float(np.median(backwards)) / 0.6745 / math.sqrt(2.0)
    return max(found, _LEAST_NOISE_US)


def _never_moved(data: Pulses, noise: float) -> NDArray[np.bool_]:
    """Cells that stay where they were, though they saw pulses of both signs that move nearly all others."""
    seen = np.abs(data.after_uS - data.before_uS) > _SEEN * math.sqrt(2.0) * noise
    stays = np.ones(data.cells, dtype=bool)
    low, high = data.first_uS.copy(), data.first_uS.copy()
    np.minimum.at(low, data.cell, data.after_uS)
    np.maximum.at(high, data.cell, data.after_uS)
    stays &= (high - low) < 10.0 * noise + 1e-3 * float(np.max(data.after_uS))
    for sign in (1.0, -1.0):
        chosen = sign * data.volts > 0.0
        if not seen[chosen].any():
            return np.zeros(data.cells, dtype=bool)
        strong = np.zeros(data.cells, dtype=bool)
        strong[data.cell[chosen & (sign * data.volts >= np.median(sign * data.volts[chosen & seen]))]] = True
        stays &= strong
    return stays


@dataclass(frozen=True)
class _Found:
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
    """Standard errors, in the order of ``_PARAMETERS``: of the threshold in V, of the others relative."""


class _Side:
    """Pulses of one sign. Amplitudes are counted positive."""

    def __init__(self, data: Pulses, sign: float, noise: float, pulse_s: float, name: str, kind: str) -> None:
        self.sign, self.noise = sign, math.sqrt(2.0) * noise
        self.name, self.kind = name, kind
        moved = sign * (data.after_uS - data.before_uS) > _SEEN * self.noise
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
    def _thinned(data: Pulses) -> NDArray[np.bool_]:
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
        found = np.isfinite(ends)
        return ends, bool(found.sum() >= 20 and found.sum() >= 0.3 * len(np.unique(data.cell)))

    def fit(self) -> _Found:
        """Maximum of the likelihood."""
        if self.ended:
            known = self.ends[np.isfinite(self.ends)]
            if self.sign > 0.0:
                end = float(np.median(known))
                spread = _deviation(np.log(np.maximum(known, 1e-6))) if len(known) >= 20 else 0.0
                spread = math.sqrt(max(spread**2 - (self.noise / math.sqrt(2.0) / end) ** 2, 0.0))
            else:
                end, spread = float(np.median(known)), 0.0
            own = np.where(np.isfinite(self.own_end), self.own_end, end)
            return self._at(own, end, spread)
        costs = [self._search(self._terms(np.full(len(self.before), end)), 1, 150)[1] for end in self._candidates()]
        end = self._candidates()[int(np.argmin(costs))]
        return self._at(np.full(len(self.before), end), end, 0.0)

    def _candidates(self) -> list[float]:
        if self.sign > 0.0:
            return [self.top * f for f in (1.05, 1.2, 1.5, 2.0, 3.0, 5.0)]
        return [-self.top * f for f in (0.95, 0.8, 0.5, 0.25, 0.0)]

    def _terms(self, own: Reals) -> "_Terms":
        """The likelihood, with the end of its cell's window for each pulse."""
        way = self.sign * (own - self.before)
        moved = self.sign * (self.after - self.before)
        # Near its end a cell says nothing.
        usable = way > np.maximum(8.0 * self.noise, 0.1 * np.maximum(np.abs(own), 1e-9) * (self.sign > 0.0))
        part = np.clip(moved / np.maximum(way, 1e-12), 1e-9, _MOST_MOVED)
        log_a = np.log(-np.log1p(-part))
        a = np.exp(log_a)
        error = self.noise / (np.maximum(way, 1e-12) * a * np.exp(-a))
        least = np.log(-np.log1p(-np.clip(_SEEN * self.noise / np.maximum(way, 1e-12), 1e-9, _MOST_MOVED)))
        seen, large = usable & (moved > _SEEN * self.noise), usable & (moved > _MOST_MOVED * way)
        jacobian = float(np.log(way[seen & ~large] * a[seen & ~large] * np.exp(-a[seen & ~large])).sum())
        return _Terms(
            volts=self.volts, width=self.width, log_a=log_a, error=error, least=least, unseen=usable & ~seen,
            seen=seen & ~large, large=large, starts=self.starts, jacobian=jacobian,
        )

    @staticmethod
    def _search(terms: "_Terms", turns: int, evaluations: int) -> tuple[Reals, float]:
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

    def _at(self, own: Reals, end: float, spread: float) -> _Found:
        terms = self._terms(own)
        best, _ = self._search(terms, 4, 400)
        threshold, log_spread, log_slope, at_mean, log_cycle, weak, factor = best
        slope = math.exp(log_slope)
        return _Found(
            end_uS=end, end_spread=spread, ended=self.ended, threshold=float(threshold),
            spread=math.exp(log_spread), slope=slope,
            rate=math.exp(at_mean + (threshold - terms.centre) / slope), cycle=math.exp(log_cycle),
            weak=_weak(weak), weak_factor=_factor(factor), moves=self.moves,
            errors=tuple(standard_errors(terms.cost, best, _PRIOR).tolist()),
        )


def _weak(x: float) -> float:
    return 0.5 / (1.0 + math.exp(-min(max(float(x), -50.0), 50.0)))


def _factor(x: float) -> float:
    return math.exp(-1.5 - math.exp(min(float(x), 1.5)))


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """The likelihood of the pulses of one sign."""

    volts: Reals
    width: Reals
    log_a: Reals
    error: Reals
    least: Reals
    unseen: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    large: NDArray[np.bool_]
    starts: NDArray[np.int64]
    jacobian: float

    @property
    def centre(self) -> float:
        """Amplitude at which rates are compared: the mean of those that move cells."""
        return float(self.volts[self.seen].mean())

    def start(self) -> Reals:
        """Parameters to begin with.

        Of thresholds mean and log deviation, log slope, log rate at the centre, log deviation from pulse to pulse, and
        of weak cells how many and how weak.
        """
        seen = self.seen & (self.error < 1.0)
        if seen.sum() < 10:
            seen = self.seen
        volts, value = self.volts[seen], self.log_a[seen] - self.width[seen]
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
        used = self.seen | self.unseen | self.large
        for value in np.unique(step[used]):
            at = used & (step == value)
            if at.sum() >= 5 and (self.seen | self.large)[at].mean() > 0.33:
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
        normal, slow = (self._cells(nodes, middle, shift + less, cycle) for less in (0.0, math.log(_factor(factor))))
        fraction = _weak(weak)
        both = np.logaddexp(normal + math.log1p(-fraction), slow + math.log(fraction))
        prior = 0.5 * ((log_spread - math.log(0.08)) / 2.0) ** 2 + 0.5 * ((weak + 4.0) / 1.0) ** 2 + 0.5 * factor**2
        return -float(both.sum()) + self.jacobian + prior

    def _cells(self, nodes: Reals, middle: Reals, shift: Reals, cycle: float) -> Reals:
        """Logarithms of the likelihood of each cell."""
        table = np.zeros((len(self.volts), len(nodes)))
        above = self.volts[:, None] >= nodes
        for chosen, density in (
            (self.seen, self._density(middle, shift, cycle)),
            (self.large, log_ndtr((middle[self.large, None] + shift - self.log_a[self.large, None]) / cycle)),
        ):
            table[chosen] = np.where(above[chosen], density, _ODDS_OF_NOISE)
        hidden = log_ndtr((self.least[self.unseen, None] - middle[self.unseen, None] - shift) / cycle)
        table[self.unseen] = np.where(above[self.unseen], hidden, 0.0)
        summed = np.add.reduceat(table, self.starts, axis=0)
        return np.asarray(logsumexp(summed + _LOG_WEIGHTS, axis=1))

    def _density(self, middle: Reals, shift: Reals, cycle: float) -> Reals:
        variance = cycle**2 + self.error[self.seen, None] ** 2
        away = self.log_a[self.seen, None] - middle[self.seen, None] - shift
        return -0.5 * away**2 / variance - 0.5 * np.log(2.0 * math.pi * variance)
