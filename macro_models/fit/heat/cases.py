"""Groups of readings at each temperature and time, and what a law of one temperature says of them at any factor."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.sections.heat import inverse_kT
from mho.macro_models.fit.law.lost import all_lost
from mho.macro_models.fit.law.statistics import even_codes, nearest_level
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Flags, Reals

_MOST_GROUPS = 4
_GROUP_CELLS = 40
_LEAST_CELLS = 10
_DRAWN = 600
_POINTS = 241
_STEEPEST = 3.0  # largest energy that is tried, in eV
_MOST_LN_CHANGE = 12.0
_SEEN = 1e-9


@dataclass(frozen=True, eq=False)
class Case:
    """Readings of one group of targets at one temperature and time, lost cells left out. Everything of g - target."""

    temp_C: float
    read_C: float
    time_s: float
    group: int
    n: int
    mean: float
    std: float
    mean_error: float
    """Standard error of the mean, that of the law included."""
    std_error: float
    """The same of the logarithm of the deviation."""


@dataclass(frozen=True, eq=False)
class Cases:
    """All groups, and the columns of them as arrays."""

    cases: list[Case]
    targets: list[Reals]
    """Sample of the targets of each group, sorted, in uS."""
    range_uS: float
    reference_C: float
    read_C: float
    """Temperature at which the cells of the law are read."""
    anchored: bool
    """Whether targets are known from elsewhere than from the readings at the same temperature."""

    def column(self, name: str) -> Reals:
        """One field of all cases."""
        return np.array([getattr(case, name) for case in self.cases], dtype=np.float64)

    @property
    def temps(self) -> Reals:
        """Temperatures besides that of the law, increasing."""
        return np.unique(self.column("temp_C"))

    @property
    def inverse(self) -> Reals:
        """``1 / kT0 - 1 / kT`` of each case, in 1/eV."""
        return inverse_kT(self.reference_C) - np.array([inverse_kT(c.temp_C) for c in self.cases])


def find_cases(data: Measurements, levels: Reals, reference_C: float) -> Cases:
    """The groups of readings at all temperatures besides that of the law, whose ``levels`` are in uS."""
    hot = data.temp_C != reference_C
    per = min((int((data.temp_C == t).sum()) for t in np.unique(data.temp_C[hot])), default=0)
    times = max(len(np.unique(data.time_index[hot])), 1)
    groups = int(np.clip(per // times // _GROUP_CELLS, 1, _MOST_GROUPS))
    edges = np.unique(np.quantile(data.target_uS, np.linspace(0.0, 1.0, groups + 1)[1:-1]))
    # Of few targets several edges may be the same, and a group between them empty.
    group = np.unique(np.searchsorted(edges, data.target_uS, side="right"), return_inverse=True)[1].reshape(-1)
    groups = int(group.max()) + 1
    gone = lost_readings(data, levels)
    cold = [data.where(~hot & (group == g)) for g in range(groups)]
    reference = [len(np.unique(part.cell)) for part in cold]
    cases: list[Case] = []
    for temp, read in np.unique(np.stack([data.temp_C, data.read_C], axis=1)[hot], axis=0):
        here = (data.temp_C == temp) & (data.read_C == read)
        for index in np.unique(data.time_index[here]):
            at = np.flatnonzero(here & (data.time_index == index))
            if index == 0 and not np.any(data.g_uS[at] != data.target_uS[at]):
                continue  # these readings are the targets
            at = at[~gone[at]]
            for g in range(groups):
                change = (data.g_uS - data.target_uS)[at[group[at] == g]]
                if len(change) >= _LEAST_CELLS:
                    cases.append(_case(change, (float(temp), float(read)), float(data.times_s[index]), g, reference[g]))
    targets = [np.sort(part.target_uS) for part in (data.where(group == g) for g in range(groups))]
    first_is_target = not data.has_target and any(
        np.any((data.temp_C == t) & (data.time_index == 0)) for t in np.unique(data.temp_C[hot])
    )
    return Cases(
        cases=cases,
        targets=[t[:: max(1, len(t) // _DRAWN)] for t in targets],
        range_uS=float(np.ptp(data.target_uS)) or float(data.target_uS.max()),
        reference_C=reference_C,
        read_C=float(data.read_C[~hot][0]),
        anchored=not first_is_target,
    )


def lost_readings(data: Measurements, levels_uS: Reals) -> Flags:
    """Which readings are of lost cells, those that are the targets left out."""
    later = np.flatnonzero((data.time_index > 0) | data.has_target)
    condition = np.unique(np.stack([data.temp_C, data.time_index], axis=1)[later], axis=0, return_inverse=True)[1]
    lost = np.zeros(len(data.g_uS), dtype=bool)
    level = nearest_level(levels_uS, data.target_uS[later])
    lost[later] = all_lost(data.g_uS[later], data.target_uS[later], level, len(levels_uS), condition.reshape(-1))
    return lost


def _case(change: Reals, temps: tuple[float, float], time_s: float, group: int, reference: int) -> Case:
    n, mean, std = len(change), float(change.mean()), float(change.std(ddof=1))
    fourth = float(((change - mean) ** 4).mean()) / max(std, _SEEN) ** 4
    both = 1.0 / n + 1.0 / max(reference, 1)
    return Case(
        temp_C=temps[0],
        read_C=temps[1],
        time_s=time_s,
        group=group,
        n=n,
        mean=mean,
        std=max(std, _SEEN),
        mean_error=std * both**0.5,
        std_error=(max(fourth - 1.0, 0.5) / 4.0 * both) ** 0.5,
    )

Moments = Callable[[float], tuple[float, float]]
"""Mean and deviation of the change of a group at a time, by the factor of the temperature."""


class Prediction:
    """Mean and logarithm of the deviation of each case, as functions of the logarithm of the factor of its temperature.

    Cells are drawn once at so many factors that a search only interpolates: ``moments_of`` gives those of a group, of
    its targets and the time.
    """

    def __init__(self, cases: Cases, acts_on: str, moments_of: Callable[[Reals, float], Moments]) -> None:
        self.acts_on, self.cases = acts_on, cases
        inverse = cases.inverse
        ends = min(float(inverse.min(initial=0.0)), 0.0), float(np.abs(inverse).max(initial=0.0))
        x = np.linspace(ends[0] * _STEEPEST, ends[1] * _STEEPEST, _POINTS)
        self.x = np.clip(x, -_MOST_LN_CHANGE, _MOST_LN_CHANGE) if acts_on == "change" else x
        factors = np.exp(np.minimum(self.x, 200.0)).tolist()
        self.known: dict[tuple[int, float], tuple[Reals, Reals]] = {}
        for group, time_s in dict.fromkeys((case.group, case.time_s) for case in cases.cases):
            moments_at = moments_of(cases.targets[group], time_s)
            moments = np.array([moments_at(factor) for factor in factors])
            self.known[group, time_s] = moments[:, 0], np.log(np.maximum(moments[:, 1], _SEEN))

    def at(self, energies: Reals) -> tuple[Reals, Reals]:
        """Means, and logarithms of deviations, each of shape (energies, cases)."""
        ln_factor = energies[:, None] * self.cases.inverse[None, :]
        mean, std = np.empty(ln_factor.shape), np.empty(ln_factor.shape)
        for k, case in enumerate(self.cases.cases):
            means, stds = self.known[case.group, case.time_s]
            mean[:, k] = np.interp(ln_factor[:, k], self.x, means)
            std[:, k] = np.interp(ln_factor[:, k], self.x, stds)
        return mean, std


def law_moments(device: Device, acts_on: str) -> Callable[[Reals, float], Moments]:
    """What :class:`Prediction` takes, of a device whose law is over time and level."""
    law, pulse_s = device.law, device.programming.pulse_s

    def moments_of(target: Reals, time_s: float) -> Moments:
        n, programming = len(target), law.programming()
        programmed = law.draw(programming, target, even_codes(n, 0))
        drawn = law.drawing(target, even_codes(n, 1), programming.shape[-1])

        def moments(factor: float) -> tuple[float, float]:
            at, size = (min(time_s * factor, 1e30), 1.0) if acts_on == "time" else (time_s, factor)
            change, share = law.change(at, pulse_s) * size, law.kept_at(at, pulse_s)
            moved = np.maximum(target + programmed * share + drawn(change), 0.0) - target
            return float(moved.mean()), float(moved.std())

        return moments

    return moments_of


def reference_temperature(data: Measurements) -> float:
    """Temperature at which the law is fitted: the lowest of those with the most times, unless it has few readings."""
    temps, count = np.unique(data.temp_C, return_counts=True)
    temps = temps[count > 0.2 * count.max()]
    times = [len(np.unique(data.time_index[data.temp_C == t])) for t in temps]
    return float(temps[int(np.argmax(times))])


def usual_reading(data: Measurements, temp_C: float) -> float:
    """Temperature at which most readings of the cells that were kept at ``temp_C`` were made."""
    temps, count = np.unique(data.read_C[data.temp_C == temp_C], return_counts=True)
    return float(temps[int(np.argmax(count))])
