"""Standard errors of a law: of means by Student's t, of deviations by Bonett's interval, over cells and over dies."""

import math
from collections.abc import Callable

import numpy as np

from mho.macro_models.devices.sections.fit import NORMAL, Confidence, small_sample, student, upwards
from mho.macro_models.fit.law.lost import all_lost
from mho.macro_models.fit.law.statistics import nearest_level, rounded
from mho.macro_models.fit.tables.measurements import Measurements
from mho.macro_models.types import Flags, Integers, Reals, Rows

_LEAST = 8  # readings from which on a level has errors of its own
_PAIRS = 12
_DIGITS = 4
_MOST_US = 1e6  # of the end of an interval that a few cells with far ones leave open


def log_spread_error(values: Reals) -> float:
    """Standard error of the logarithm of the standard deviation of a sample of any law.

    D. G. Bonett, "Approximate confidence interval for standard deviation of nonnormal distributions", Computational
    Statistics & Data Analysis 50 (2006) 775: the kurtosis is taken about a trimmed mean, which makes it larger for the
    skewed and heavy-tailed laws of which a sample shows too little.
    """
    n = len(values)
    power = float(((values - values.mean()) ** 2).sum())
    if n < 4 or power <= 0.0:
        return 1.0 / math.sqrt(2.0 * max(n - 1, 1))
    cut = int(n / (2.0 * math.sqrt(max(n - 4.0, 1.0))))
    trimmed = np.sort(values)[cut : n - cut]
    middle = float(trimmed.mean()) if trimmed.size else float(np.median(values))
    kurtosis = n * float(((values - middle) ** 4).sum()) / power**2
    return 0.5 * small_sample(n) * math.sqrt(max(kurtosis - (n - 3.0) / n, 0.1) / (n - 1.0))


def mean_interval(values: Reals, die: Integers | None = None) -> tuple[float, float]:
    """90 % interval of the mean; of cells on several dies with the scatter of the dies, if that is larger."""
    mean, half = float(values.mean()), student(len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))
    if die is not None and len(np.unique(die)) > 1:
        of_die = np.array([values[die == k].mean() for k in np.unique(die)])
        half = max(half, student(len(of_die) - 1) * float(of_die.std(ddof=1)) / math.sqrt(len(of_die)))
    return mean - half, mean + half


def std_interval(values: Reals, die: Integers | None = None) -> tuple[float, float]:
    """90 % interval of the standard deviation."""
    middle = 0.5 * math.log(small_sample(len(values))) + math.log(max(float(values.std(ddof=1)), 1e-12))
    half, more = NORMAL * log_spread_error(values), float(upwards(len(values)))
    if die is not None and len(np.unique(die)) > 1:
        dies = len(np.unique(die))
        half = max(half, student(dies - 1) * _jackknife(values, die))
    return math.exp(middle - half), min(math.exp(min(middle + half * more, 700.0)), _MOST_US)


def _jackknife(values: Reals, die: Integers) -> float:
    """Standard error of the logarithm of the deviation, by leaving out each die."""
    without = np.array([math.log(max(float(values[die != k].std()), 1e-12)) for k in np.unique(die)])
    return math.sqrt((len(without) - 1.0) * float(without.var()))


def law_errors(data: Measurements, levels_uS: Reals) -> Confidence:
    """Errors of a law that was fitted to these readings, of one temperature, at these levels."""
    used = np.unique(np.concatenate([[0], data.time_index]))
    level, levels = nearest_level(levels_uS, data.target_uS), len(levels_uS)
    change = data.g_uS - data.target_uS
    lost = all_lost(data.g_uS, data.target_uS, level, levels, data.time_index)
    lost &= data.has_target | (data.time_index > 0)
    die = np.zeros(len(change), dtype=np.int64) if data.die is None else data.die
    mean, spread, count = (np.zeros((len(used), levels)) for _ in range(3))
    of_die: list[tuple[float, float]] = []
    for row, index in enumerate(used):
        at = (data.time_index == index) & ~lost
        of_die.append(_die_errors(change[at], die[at]))
        for k in range(levels):
            x = _around(change[at], level[at], k, levels)
            cells = max(int((level[at] == k).sum()), 1)
            count[row, k] = max(len(x), 2)
            mean[row, k] = float(x.std(ddof=1)) / math.sqrt(cells) if len(x) > 1 else 0.0
            spread[row, k] = log_spread_error(x) * math.sqrt(max(len(x), 1) / max(min(cells, len(x)), 1))
    memory = _memory(data, change, level, used, lost)
    columns = time_intervals(data, used, ~lost)
    gone = int(lost.sum())
    return Confidence(
        cells=data.cells, dies=len(np.unique(die)), level_cells=rounded(count.max(axis=0), _DIGITS),
        mean_error_uS=_rows(mean), spread_error=_rows(spread), mean_memory=_rows(memory[0]),
        spread_memory=_rows(memory[1]), die_mean_uS=rounded([d[0] for d in of_die], _DIGITS),
        die_spread=rounded([d[1] for d in of_die], _DIGITS),
        lost_error=float(f"{1.0 / math.sqrt(gone):.3g}") if gone else 0.0,
        mean_low_uS=columns[0], mean_high_uS=columns[1], std_low_uS=columns[2], std_high_uS=columns[3],
        source=f"{data.path.name}: errors of means (Student) and of deviations (Bonett 2006) at each level",
    )


def time_intervals(data: Measurements, used: Integers, good: Flags) -> list[tuple[float, ...]]:
    """Ends of the 90 % intervals of mean and deviation of g - target over all cells, for each of the times ``used``.

    ``good`` are the readings that count. Four lists: mean from and to, deviation from and to, in uS.
    """
    change, rows = data.g_uS - data.target_uS, []
    die = np.zeros(len(change), dtype=np.int64) if data.die is None else data.die
    for index in used:
        at = good & (data.time_index == index)
        rows.append((*_two(mean_interval, change[at], die[at]), *_two(std_interval, change[at], die[at])))
    return [rounded(column, _DIGITS) for column in zip(*rows, strict=True)]


def _two(interval: Callable[..., tuple[float, float]], values: Reals, die: Integers) -> tuple[float, float]:
    return interval(values, die) if len(values) > 1 and float(np.ptp(values)) > 0.0 else (0.0, 0.0)


def _around(values: Reals, level: Integers, k: int, levels: int) -> Reals:
    """Readings of a level, about its mean; with those around it where it has few."""
    low = high = k
    while (count := int(((level >= low) & (level <= high)).sum())) < _LEAST and (low > 0 or high < levels - 1):
        low, high = max(0, low - 1), min(levels - 1, high + 1)
    if not count:
        return np.zeros(0)
    parts = [values[level == i] for i in range(low, high + 1)]
    return np.concatenate([part - part.mean() if low < high else part for part in parts if part.size])


def _die_errors(values: Reals, die: Integers) -> tuple[float, float]:
    """What dies add to the standard errors of mean and log deviation of all cells."""
    names = np.unique(die)
    if len(names) < 2 or float(np.ptp(values)) <= 0.0:
        return 0.0, 0.0
    means = np.array([values[die == k].mean() for k in names])
    within = sum(float(values[die == k].var()) / max((die == k).sum(), 1) for k in names) / len(names)
    between = max(float(means.var(ddof=1)) - within, 0.0)
    spread = _jackknife(values, die) ** 2 - log_spread_error(values) ** 2
    return math.sqrt(between / len(names)), math.sqrt(max(spread, 0.0))


def _memory(data: Measurements, change: Reals, level: Integers, used: Integers, lost: Flags) -> tuple[Reals, Reals]:
    """Correlation over cells of the changes of two times, and of their squares."""
    table = np.full((len(used), data.cells), math.nan)
    for row, index in enumerate(used):
        at = np.flatnonzero((data.time_index == index) & ~lost)
        for k in np.unique(level[at]):
            here = at[level[at] == k]
            x = change[here]
            table[row, data.cell[here]] = (x - x.mean()) / max(float(x.std()), 1e-12) if len(x) > 2 else math.nan
    shared = []
    for values in (table, np.clip(table, -4.0, 4.0) ** 2):
        matrix = np.eye(len(used))
        for a in range(len(used)):
            for b in range(a):
                both = np.isfinite(values[a]) & np.isfinite(values[b])
                if both.sum() >= _PAIRS and values[a, both].std() > 0.0 and values[b, both].std() > 0.0:
                    matrix[a, b] = matrix[b, a] = float(np.corrcoef(values[a, both], values[b, both])[0, 1])
        shared.append(matrix)
    return shared[0], shared[1]


def _rows(values: Reals) -> Rows:
    return tuple(rounded(row, _DIGITS) for row in values)
