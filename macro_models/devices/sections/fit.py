"""What a fitted device says of its data: the section ``[fit]``."""

from dataclasses import dataclass


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
    level_n: tuple[tuple[float, ...], ...] = ()
    """Readings at each time and level; with the next two, what figures draw as measured points."""
    level_mean_uS: tuple[tuple[float, ...], ...] = ()
    """Mean of g - target as measured, in uS, for each time and level."""
    level_std_uS: tuple[tuple[float, ...], ...] = ()
    """Standard deviation of it, in uS."""
    residual_mean_uS: tuple[tuple[float, ...], ...] = ()
    """Device less measurement, mean in uS, for each time and level."""
    residual_std_uS: tuple[tuple[float, ...], ...] = ()
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
