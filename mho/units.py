"""Quantities as people write them on the command line."""

import math
import re

from mho.macro_models.errors import InputError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "y": 365.25 * 86400.0}


def parse_time(time: str | float) -> float:
    """A time since programming in seconds: a number of seconds, or ``"90s"``, ``"10m"``, ``"1h"``, ``"1d"``, ``"10y"``.

    Raises InputError if it is negative, not finite or has no unit that is known.
    """
    if isinstance(time, str):
        match = re.fullmatch(r"\s*(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)\s*([a-z]?)\s*", time)
        if match is None or (match[2] and match[2] not in _SECONDS):
            raise InputError(f"time must be a number with s, m, h, d or y, as in 1d, not {time!r}")
        seconds = float(match[1]) * _SECONDS[match[2] or "s"]
    else:
        seconds = float(time)
    if not math.isfinite(seconds) or seconds < 0:
        raise InputError(f"time must be finite and not negative, not {time!r}")
    return seconds


def format_time(seconds: float) -> str:
    """The shortest of the forms that :func:`parse_time` takes: ``86400.0`` to ``"1d"``."""
    for unit in ("y", "d", "h", "m"):
        count = seconds / _SECONDS[unit]
        if count >= 1 and count == round(count, 3):
            return f"{count:g}{unit}"
    return f"{seconds:g}s"


def format_energy(pJ: float, digits: int = 3) -> str:
    """An energy with the unit in which it is at least 1: ``2500.0`` to ``"2.5 nJ"``."""
    rounded = float(f"{pJ:.{digits}g}")
    for unit, size in (("mJ", 1e9), ("µJ", 1e6), ("nJ", 1e3)):
        if rounded >= size:
            return f"{pJ / size:.{digits}g} {unit}"
    return f"{pJ:.{digits}g} pJ"
