"""Numbers that are in another unit than their column says, by all appearance: refused, never guessed."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import InputError

__all__ = ["check_units"]

_LEAST_US, _MOST_US = 1e-3, 2e4
_FACTOR = 300.0
_ROOM_K = (285.0, 305.0)
_EPOCH_S = 1e9


def _typical(values: NDArray[np.float64]) -> float:
    good = values[np.isfinite(values) & (values > 0.0)]
    return float(np.median(good)) if good.size else 0.0


def check_units(
    path: Path, numbers: Mapping[str, NDArray[np.float64]], titles: Mapping[str, str], stated: frozenset[str]
) -> None:
    """Refuse columns whose numbers belong to another unit.

    Parameters
    ----------
    numbers
        Columns, in their own units.
    titles
        What the file calls them.
    stated
        Columns whose unit the file says apart from their name: these are believed.

    Raises
    ------
    InputError
        With the column, a number of it, and how to name it.
    """

    def refuse(name: str, why: str) -> None:
        raise InputError(f"{path}, column {titles.get(name, name)}: {why}")

    for name, scale, rival, unit in (
        ("g_uS", 1.0, "g_S", "siemens"), ("g_target_uS", 1.0, "g_target_S", "siemens"),
        ("g_S", 1e6, "g_uS", "uS"), ("g_target_S", 1e6, "g_target_uS", "uS"),
    ):
        typical = _typical(numbers.get(name, np.zeros(0)))
        if name in stated or not typical:
            continue
        far = typical * scale < _LEAST_US if scale == 1.0 else typical * scale > _MOST_US
        if far:
            written = "uS" if scale == 1.0 else "S"
            refuse(name, f"the median is {typical:.3g} {written}; if it is in {unit}, it is --columns {rival}=NAME")
    typical = _typical(numbers.get("r_ohm", np.zeros(0)))
    if typical and "r_ohm" not in stated and 1e6 / typical > _MOST_US:
        refuse("r_ohm", f"the median is {typical:.3g} ohm; if it is in kilohms, it is --columns r_kohm=NAME")
    _check_pair(path, numbers, titles)
    for name in ("temp_C", "read_temp_C"):
        temp = numbers.get(name, np.zeros(0))
        temp = temp[np.isfinite(temp)]
        room = (temp >= _ROOM_K[0]) & (temp <= _ROOM_K[1])
        if name not in stated and temp.size and temp.min() > 200.0 and room.any():
            hint = f"if it is in kelvin, it is --columns {name.replace('_C', '_K')}=NAME"
            refuse(name, f"{temp[room][0]:g} C beside nothing below 200 C; {hint}")
    times = numbers.get("t_s", np.zeros(0))
    times = times[np.isfinite(times)]
    if times.size and times.min() > _EPOCH_S:
        refuse("t_s", f"the first time is {times.min():.10g} s, a date by all appearance; times count from programming")


def _check_pair(path: Path, numbers: Mapping[str, NDArray[np.float64]], titles: Mapping[str, str]) -> None:
    """Readings and targets must be of one size."""
    micro = {"g_uS": 1.0, "g_S": 1e6, "g_target_uS": 1.0, "g_target_S": 1e6}
    typical_uS = {name: micro[name] * _typical(values) for name, values in numbers.items() if name in micro}
    if "r_ohm" in numbers and (typical := _typical(numbers["r_ohm"])):
        typical_uS["r_ohm"] = 1e6 / typical
    readings = [name for name in ("g_uS", "g_S", "r_ohm") if typical_uS.get(name)]
    targets = [name for name in ("g_target_uS", "g_target_S") if typical_uS.get(name)]
    for a, b in product(readings, targets):
        if not 1.0 / _FACTOR < typical_uS[a] / typical_uS[b] < _FACTOR:
            raise InputError(
                f"{path}: {titles.get(a, a)} has a median of {typical_uS[a]:.3g} uS and {titles.get(b, b)} of "
                f"{typical_uS[b]:.3g} uS: one of them is in another unit"
            )
