"""Readings that are missing because they are small, flags and ends of instruments, and stuck cells that grow."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.macro_models.fit import Measurements
from tests.macro_models.fit.reading import read_measurements

Reals = NDArray[np.float64]
LEVELS = (2.0, 5.0, 12.0, 40.0)
TIMES = (0.0, 60.0, 3600.0, 86400.0)


def measured(
    folder: Path, change: Callable[[Reals], list[str]], *, header: str = "cell,t_s,g_uS,g_target_uS"
) -> Measurements:
    """Cells that lose a part of their conductance; ``change`` writes the readings of one time."""
    r = np.random.default_rng(3)
    target = np.repeat(LEVELS, 60)
    nu = np.abs(0.12 * (1.0 + 0.3 * r.normal(size=len(target))))
    rows = []
    for t in TIMES:
        g = target * (1.0 + 0.05 * r.normal(size=len(target))) * (1.0 + t) ** -nu
        named = header.startswith("cell")
        rows += [
            f"{f'{k},' if named else ''}{t:g},{x},{target[k]:g}" for k, x in enumerate(change(g)) if x != "no row"
        ]
    path = folder / "lab.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return read_measurements(path)


def written(g: Reals) -> list[str]:
    return [f"{x:.6g}" for x in g]


CASES: dict[str, tuple[Callable[[Reals], list[str]], str, str]] = {
    "empty fields": (lambda g: [f"{x:.6g}" if x > 1.0 else "" for x in g], "", "missing of .* conduct less .* small"),
    "no rows": (lambda g: [f"{x:.6g}" if x > 1.0 else "no row" for x in g], "", "missing of .* conduct less .* small"),
    "cells that are never read": (
        lambda g: ["no row" if k < 60 and k % 10 else f"{x:.6g}" for k, x in enumerate(g)], "",
        "target 2 uS has 24 readings of 6 cells, the others 240 .*: were those left out that are too small",
    ),
    "above": (lambda g: [f"{x:.6g}" if x < 35.0 else "" for x in g], "", "missing of .* conduct more .* large"),
    "overflow of resistance": (
        lambda g: [f"{1e6 / x:.6g}" if x > 1.0 else "9.9E+37" for x in g], "cell,t_s,r_ohm,g_target_uS",
        "missing of .* conduct less",
    ),
    "overflow of current": (
        lambda g: [f"{x:.6g}" if x > 1.0 else "9.9E37" for x in g], "cell,t_s,g_uS,g_target_uS",
        "missing of .* conduct less",
    ),
    "nameless": (
        lambda g: [f"{x:.6g}" if x > 1.0 else "" for x in g], "t_s,g_uS,g_target_uS",
        "with targets of 2 uS .* cells have no names",
    ),
    "floor": (lambda g: written(np.maximum(g, 1.0)), "", "exactly 1 uS, the least of all: the floor"),
    "ceiling": (lambda g: written(np.minimum(g, 38.0)), "", "exactly 38 uS, the largest of all: the ceiling"),
    "flag": (lambda g: ["999" if int(x * 1e4) % 40 == 7 else f"{x:.6g}" for x in g], "", "exactly 999 uS"),
    "steps": (lambda g: written(np.round(g / 4.0) * 4.0 + 0.001), "", "in steps of 4 uS"),
    "negative": (lambda g: written(g - 1.2), "", "readings are negative, down to -1"),
    "dead": (lambda g: ["" if k % 20 == 3 else f"{x:.6g}" for k, x in enumerate(g)], "", "12 of 240 cells have no"),
}


@pytest.mark.parametrize("name", CASES)
def test_readings_that_are_not_what_cells_had_are_named(tmp_path: Path, name: str) -> None:
    change, header, sentence = CASES[name]
    data = measured(tmp_path, change, header=header or "cell,t_s,g_uS,g_target_uS")
    assert any(re.search(sentence, note) for note in data.notes), data.notes
    assert data.g_uS.max() < 1e3


def test_what_is_missing_by_chance_is_not_named(tmp_path: Path) -> None:
    r = np.random.default_rng(1)
    assert measured(tmp_path, written).notes == ()
    assert measured(tmp_path, lambda g: [f"{x:.6g}" if r.random() > 0.15 else "" for x in g]).notes == ()
    # A quarter of the cells, whatever they conduct, was not read at one time.
    assert measured(tmp_path, lambda g: [f"{x:.6g}" if k % 4 else "" for k, x in enumerate(g)][:240]).cells == 180


def test_small_negative_readings_are_zero_and_flags_are_none(tmp_path: Path) -> None:
    data = measured(tmp_path, lambda g: ["-999" if k == 5 else f"{x - 1.2:.6g}" for k, x in enumerate(g)])
    assert (data.g_uS == 0.0).any()
    assert data.dropped["readings that are no number, negative or out of bounds"] == len(TIMES)


@pytest.mark.parametrize("grows", [True, False])
def test_stuck_cells_that_grow_with_cycling_are_named(tmp_path: Path, grows: bool) -> None:
    r = np.random.default_rng(2)
    rows = ["cell,cycles,t_s,g_uS,g_target_uS"]
    for at, cycles in enumerate((1e3, 1e5, 1e7)):
        target = np.tile(LEVELS, 100)
        stuck = r.random(len(target)) < ((0.0, 0.02, 0.12)[at] if grows else 0.05)
        for t in (0.0, 60.0):
            g = np.where(stuck, 0.01, target + 0.2 * r.normal(size=len(target)))
            rows += [f"{k},{cycles:g},{t:g},{g[k]:.5g},{target[k]:g}" for k in range(len(target))]
    (tmp_path / "lab.csv").write_text("\n".join(rows) + "\n")
    data = read_measurements(tmp_path / "lab.csv")
    named = [note for note in data.notes if "stuck" in note]
    assert bool(named) is grows
    # Cells of the smallest targets are stuck as the others are.
    assert len(data.stuck_uS) == pytest.approx(56 if grows else 60, abs=16)
    if grows:
        part = re.search(r"([\d.]+)% of those that were switched most", named[0])
        assert part is not None
        assert float(part[1]) == pytest.approx(12.0, abs=3.0)
