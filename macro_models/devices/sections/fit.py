"""What a fitted device says of its data, and how sure it is.

An experiment with other cells of the same kind would have given other means and deviations.
:mod:`mho.macro_models.devices.resampled` draws such a device from the errors that the fit left in ``[confidence]``.
"""

from dataclasses import dataclass

from scipy.special import stdtrit

from mho.macro_models.types import Reals, Rows


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Where a fitted device comes from, and how well it reproduces the data.

    Lists over time have one entry for each row of the law (the first: programming), lists over level one for each
    level.
    """

    file: str = ""
    """Name of the data file, without its folder."""
    sha256: str = ""
    """Hash of the data file."""
    command: str = ""
    """What made the device."""
    cells: int = 0
    """Cells that were fitted."""
    readings: int = 0
    """Readings of them."""
    dropped: str = ""
    """What was left out of the fit."""
    g_range_uS: tuple[float, ...] = ()
    """Least and largest target, in uS."""
    time_range_s: tuple[float, ...] = ()
    """First and last time, in seconds."""
    temp_range_C: tuple[float, ...] = ()
    """Lowest and highest temperature, in degrees Celsius."""
    times_s: tuple[float, ...] = ()
    """Times of the lists below, in seconds."""
    n: tuple[float, ...] = ()
    """Readings at each time."""
    mean_uS: tuple[float, ...] = ()
    """Mean of g - target as measured, in uS."""
    model_mean_uS: tuple[float, ...] = ()
    """The same of the device."""
    std_uS: tuple[float, ...] = ()
    """Standard deviation of g - target as measured, in uS."""
    model_std_uS: tuple[float, ...] = ()
    """The same of the device."""
    beyond: tuple[float, ...] = ()
    """Fraction of cells further than three robust deviations (1.4826 times the median absolute deviation) from the
    median, as measured."""
    model_beyond: tuple[float, ...] = ()
    """The same of the device."""
    levels_uS: tuple[float, ...] = ()
    """Targets of the lists by level: each holds the readings that are nearest to it, in uS."""
    level_n: Rows = ()
    """Readings at each time and level; with the next two, what figures draw as measured points."""
    level_mean_uS: Rows = ()
    """Mean of g - target as measured, in uS, for each time and level."""
    level_std_uS: Rows = ()
    """Standard deviation of it, in uS."""
    residual_mean_uS: Rows = ()
    """Device less measurement, mean in uS, for each time and level."""
    residual_std_uS: Rows = ()
    """Device less measurement, standard deviation in uS, for each time and level."""
    share_die: tuple[float, ...] = ()
    """Share of the variance that cells of a die have in common, at each time; 0 where chance explains it."""
    share_die_error: tuple[float, ...] = ()
    """Its standard error."""
    share_cell: tuple[float, ...] = ()
    """Share of the variance that a cell has again when it is programmed again, at each time; the rest is from one
    programming to the next."""
    share_cell_error: tuple[float, ...] = ()
    """Its standard error."""
    cycles_times_s: tuple[float, ...] = ()
    """Times of the lists below, in seconds."""
    cycles_range: tuple[float, ...] = ()
    """Least, usual (geometric mean of 1 + cycles, less 1) and most switching cycles of the cells."""
    cycles_mean_uS: tuple[float, ...] = ()
    """What each decade of switching cycles adds to g - target, in uS."""
    cycles_mean_error_uS: tuple[float, ...] = ()
    """Its standard error."""
    cycles_spread: tuple[float, ...] = ()
    """Relative change of the deviation with each decade of switching cycles."""
    cycles_spread_error: tuple[float, ...] = ()
    """Its standard error."""
    warnings: tuple[str, ...] = ()
    """What the data do not show, or the device does not follow, with the reason: one sentence each."""
    source: str = ""


LEVEL_OF_CONFIDENCE = 0.9
"""Of all printed intervals."""
NORMAL = 1.6448536269514722
"""Half of the interval of a normal variable with a standard error of 1."""
_UPWARDS = 8.0  # cells



def student(freedom: int) -> float:
    """Half of the interval of Student's variable, of so many degrees of freedom and at least one."""
    return float(stdtrit(max(freedom, 1), 0.5 + LEVEL_OF_CONFIDENCE / 2.0))


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """Errors of a law. Lists over time have an entry for each row of the law, lists over level one for each level."""

    cells: int = 0
    """Cells of the data; 0: nothing is known."""
    dies: int = 0
    """Dies that they are on, where the data say so."""
    level_cells: tuple[float, ...] = ()
    """Cells from which the errors of each level are known."""
    mean_error_uS: Rows = ()
    """Standard error of the mean of g - target, for each time and level, in uS."""
    spread_error: Rows = ()
    """Standard error of the logarithm of the standard deviation, for each time and level."""
    mean_memory: Rows = ()
    """Correlation of the errors of two times' means."""
    spread_memory: Rows = ()
    """The same of deviations."""
    die_mean_uS: tuple[float, ...] = ()
    """Standard error of the mean that the dies add, the same at all levels, for each time, in uS."""
    die_spread: tuple[float, ...] = ()
    """The same of the logarithm of the deviation."""
    names: tuple[str, ...] = ()
    """Numbers of a law with a section of its own (:meth:`Device.moved <mho.macro_models.devices.device.Device.moved>`)
    that other cells would have moved; empty: the law is in lists over time and level."""
    errors: tuple[float, ...] = ()
    """Standard error of each."""
    memory: Rows = ()
    """Correlation of these errors."""
    lost_error: float = 0.0
    """Relative standard error of the fraction of lost cells."""
    mean_low_uS: tuple[float, ...] = ()
    """Lower end of the 90 % interval of the mean over all cells, for each time, in uS."""
    mean_high_uS: tuple[float, ...] = ()
    """Upper end of it."""
    std_low_uS: tuple[float, ...] = ()
    """Lower end of the 90 % interval of the standard deviation over all cells, for each time, in uS."""
    std_high_uS: tuple[float, ...] = ()
    """Upper end of it."""
    source: str = ""

    @property
    def known(self) -> bool:
        """Whether devices can be drawn from these errors."""
        return bool(self.cells and (self.mean_error_uS or self.names))


def small_sample(n: float) -> float:
    """Factor on a variance that makes the interval of Bonett (2006) right for small samples: n / (n - z)."""
    return n / max(n - NORMAL, 1.0)


def upwards(n: float | Reals) -> float | Reals:
    """Factor on the upper half of the interval of a deviation.

    A small sample of a heavy-tailed law has often no cell of the tail, and then knows nothing of it. Chosen such that
    90 % intervals of 20 cells of normal, Student, mixed and skewed laws hold 85 to 95 %, as a test measures.
    """
    return 1.0 + _UPWARDS / n
