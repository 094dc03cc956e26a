"""Runs side by side, from their JSON: what differs, by how much, and whether that is more than chance."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from macro_models.errors import InputError
from macro_models.files import FileKind, read_text
from macro_models.files.schema import shown
from mho.results.uncertainty import LEVEL
from mho.version import JSON_FORMAT

__all__ = ["MEASURES", "Difference", "Run", "compare", "differing", "read_run"]

MEASURES = {"accuracy": "accuracy", "agreement": "agreement", "relative_error": "relative error"}
"""Keys of a run's results that are scores, the first that is there is taken, and what they are called."""

_RUN = FileKind("result of mho run", 1 << 28)
_Z = 1.6448536269514722
_FACTS = ("model", "chip", "device", "compile_options", "options", "hashes", "versions", "images", "cells")
_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a comparison needs of a run."""

    path: str
    content: Mapping[str, Any]
    time_s: float
    measure: str
    """Of :data:`MEASURES`."""
    scores: dict[int, float]
    """Score of each chip by its seed."""
    half: float | None
    """Half of the 90 % interval of the mean score; None of a single chip of which the file says no interval."""
    images: int

    @property
    def mean(self) -> float:
        """Mean score of the chips."""
        return float(np.mean(list(self.scores.values())))


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Score of the second run less that of the first."""

    value: float
    half: float | None
    """Half of its 90 % interval."""
    paired: bool
    """Whether chips and images are the same ones, so that only what differs counts."""

    @property
    def sure(self) -> bool | None:
        """Whether it is more than chance; None if nothing says so."""
        return None if self.half is None else abs(self.value) > self.half


def read_run(path: str) -> Run:
    """A run from the file that ``mho run --json`` wrote.

    Raises
    ------
    InputError
        If it is no such file.
    """
    try:
        content = json.loads(read_text(Path(path), _RUN))
        # Files that were written before there was a number are of the first.
        number = content.get("format", 1)
        found = _parsed(path, content) if number == JSON_FORMAT else None
    except (ValueError, KeyError, TypeError, IndexError, StopIteration, AttributeError, RecursionError):
        found, number = None, JSON_FORMAT
    if number != JSON_FORMAT:
        raise InputError(f"{path}: has JSON of format {shown(number)}; this version reads {JSON_FORMAT}: run it again")
    values = [] if found is None else [found.time_s, *found.scores.values(), found.half or 0.0]
    if found is None or not all(map(math.isfinite, values)) or found.time_s < 0.0 or found.images < 1:
        raise InputError(f"{path}: must be the JSON of a run, as mho run --json writes it")
    return found


def _parsed(path: str, content: Any) -> Run:
    results, hashes = content["results"], content["hashes"]
    measure = next(key for key in MEASURES if key in results[0])
    scores = {int(entry["seed"]): float(entry[measure]) for entry in results}
    images = int(content["images"])
    if not isinstance(hashes["network"], str) or not isinstance(hashes["input"], str):
        raise TypeError
    half = None if measure == "relative_error" else math.sqrt(max(_variance(scores, images), 0.0)) * _Z
    if "uncertainty" in content:
        low, high = content["uncertainty"]["interval"]
        half = float(high - low) / 2.0
    return Run(
        path=path, content=content, time_s=float(content["options"]["time_s"]), measure=measure, scores=scores,
        half=half, images=images,
    )


def _variance(scores: dict[int, float], images: int) -> float:
    """Of a share of images, with one right and one wrong added (Agresti, Coull)."""
    padded = (float(np.mean(list(scores.values()))) * images + 1.0) / (images + 2.0)
    return padded * (1.0 - padded) / images


def compare(first: Run, second: Run) -> Difference:
    """The difference of two runs with the same measure.

    Chips that both have, on the same images, are compared one by one: Student's interval of their differences. Else
    the intervals of both add up as squares.

    Raises
    ------
    InputError
        If they were scored by different measures.
    """
    if first.measure != second.measure:
        raise InputError(
            f"{second.path}: has {MEASURES[second.measure]}, {first.path} {MEASURES[first.measure]}: "
            "both must be run with labels, or both without"
        )
    same = sorted(set(first.scores) & set(second.scores))
    alike = first.content["hashes"]["input"] == second.content["hashes"]["input"]
    if alike and len(same) > 1:
        away = np.array([second.scores[seed] - first.scores[seed] for seed in same])
        student = float(stdtrit(len(same) - 1, 0.5 + LEVEL / 2.0))
        half = student * float(away.std(ddof=1)) / math.sqrt(len(same))
        return Difference(value=float(away.mean()), half=half, paired=True)
    half = None if first.half is None or second.half is None else math.hypot(first.half, second.half)
    return Difference(value=second.mean - first.mean, half=half, paired=False)


def differing(first: Run, second: Run) -> list[tuple[str, str, str]]:
    """Options and descriptions that are not the same: dotted key, value of the first, value of the second.

    Of another device or chip by name the name is all; sources and descriptions are left out.
    """
    one, two = (_flat({k: run.content[k] for k in _FACTS if k in run.content}) for run in (first, second))
    keys = [key for key in dict.fromkeys([*one, *two]) if one.get(key) != two.get(key)]
    other = [part for part in ("device", "chip") if f"{part}.name" in keys]
    keys = [
        key for key in keys
        if not key.endswith((".source", ".description")) and not (
            key.split(".")[0] in other and key not in ("device.name", "chip.name")
        )
    ]
    return [(key, _text(one.get(key)), _text(two.get(key))) for key in keys]


def _flat(tree: Mapping[str, Any], under: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{under}.{key}" if under else str(key)
        found |= _flat(value, name) if isinstance(value, Mapping) else {name: value}
    return found


def _text(value: Any) -> str:
    text = "-" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
