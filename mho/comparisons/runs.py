"""Runs side by side, from their JSON: what differs, by how much, and whether that is more than chance."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, ndtr, stdtr

from mho.compiler.facts import Fit
from mho.dotted import KeyDifference, description_differences, dotted, key_differences
from mho.macro_models.devices.sections.fit import LEVEL_OF_CONFIDENCE, NORMAL, student
from mho.macro_models.errors import InputError
from mho.macro_models.files import FileKind, parse_json, read_text
from mho.macro_models.files.schema import TEXT, ListOf, Number, Optional, Spec, Table, TableOf, Whole, shown, spec_of
from mho.macro_models.shown import Shown
from mho.results.facts import Cost, LayerRow, Trace
from mho.results.uncertainty import share_error
from mho.version import JSON_FORMAT

MEASURES = {"accuracy": "accuracy", "agreement": "agreement", "relative_error": "relative error"}
"""Keys of a run's results that are scores, the first that is there is taken, and what they are called."""

Content = Mapping[str, Any]
"""JSON of a run."""

_RUN = FileKind("result of mho run", 1 << 28)


def _part(**keys: Spec) -> Table:
    return Table(keys, rest=True)


_NUMBER, _FACULTATIVE = spec_of(float), Optional(spec_of(float))
_RUN_FILE = _part(
    versions=TableOf(TEXT), model=TEXT, images=Whole(1), layers=spec_of(Sequence[LayerRow]), fit=spec_of(Fit),
    hashes=_part(network=TEXT, chip=TEXT, input=TEXT),
    chip=_part(
        name=TEXT, mesh=_part(columns=Whole(1), rows=Whole(1)), tile=Optional(spec_of(Mapping[str, object] | None))),
    device=_part(name=TEXT, source=Optional(TEXT)), compile_options=_part(duplicates=Optional(spec_of(int | None))),
    options=_part(backend=TEXT, device=TEXT, time_s=Number(0, 1e300), temp_C=_NUMBER),
    results=ListOf(_part(seed=Whole(), right=Optional(TEXT), **dict.fromkeys(MEASURES, _FACULTATIVE)), least=1),
    cost=Optional(spec_of(Cost | None)), trace=Optional(spec_of(Trace)), accuracy=Optional(_part(float=_NUMBER)),
    uncertainty=Optional(_part(interval=ListOf(_NUMBER, 2, 2))),
    budget=Optional(_part(rows=ListOf(_part(name=TEXT, mean=_NUMBER, alone=_FACULTATIVE, share=_FACULTATIVE)),
                          layers=Optional(ListOf(_part(name=TEXT, loss=_NUMBER))))),
)
"""What comparisons and reports read of the JSON of a run; it has more."""

_FACTS = ("model", "compile_options", "options", "images", "cells", "hashes", "versions")
_COSTS = ("latency_us", "interval_us", "tops", "energy.total_pJ", "tops_per_W", "macros_mm2", "conversions")
"""Of ``cost``, for an input: what a comparison sets side by side."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a comparison needs of a run."""

    path: str
    content: Content
    time_s: float
    measure: str
    """Of :data:`MEASURES`."""
    scores: dict[int, float]
    """Score of each chip by its seed."""
    half: float | None
    """Half of the 90 % interval of the mean score; None of a single chip of which the file says no interval."""
    images: int
    right: dict[int, NDArray[np.bool_]]
    """Which images each chip classified as its score counts, of shape (images,); empty where the file does not say."""

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
    over: str
    """What was compared one by one, so that only what differs counts: ``chips``, ``images``; empty: nothing was."""
    p: float | None
    """Probability of a difference this large or larger if there were none; None if nothing says so."""

    @property
    def sure(self) -> bool | None:
        """Whether it is more than chance, by the level of the intervals; None if nothing says so."""
        return None if self.p is None else self.p < 1.0 - LEVEL_OF_CONFIDENCE


@dataclass(frozen=True, kw_only=True, repr=False)
class RunComparison(Shown):
    """Two runs side by side."""

    first: Run
    second: Run
    """The runs."""
    difference: Difference
    """Of their scores."""
    keys: Sequence[KeyDifference]
    """What they have not alike of what a run is a function of."""
    cost: Sequence[KeyDifference]
    """Time and energy of an input, of both."""

    def _facts(self) -> dict[str, object]:
        return {
            "of": MEASURES[self.first.measure], "first": f"{self.first.mean:.4g}", "second": f"{self.second.mean:.4g}",
            "difference": f"{self.difference.value:+.4g}", "more than chance": self.difference.sure,
            "differs": ", ".join(row.key for row in self.keys),
        }

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        difference = self.difference
        return {
            "run": self.second.path, "difference": difference.value, "half_interval": difference.half,
            "paired": bool(difference.over), "over": difference.over or None, "p": difference.p,
            "more_than_chance": difference.sure, "differs": [row.to_dict() for row in self.keys],
            "cost": [row.to_dict() for row in self.cost],
            "fits": [run.content["fit"]["fits"] for run in (self.first, self.second)],
        }


def compare_runs(first: Run, second: Run) -> RunComparison:
    """All that two runs have not alike, see :func:`compare`."""
    return RunComparison(
        first=first, second=second, difference=compare(first, second), keys=differing(first, second),
        cost=costs(first, second),
    )


def read_run(path: str) -> Run:
    """A run from the file that ``mho run --json`` wrote.

    Raises InputError if it is no such file.
    """
    return run_of(read_text(Path(path), _RUN), path)


def run_of(text: str, path: str) -> Run:
    """A run from its JSON, which ``path`` is the name of."""
    try:
        content = parse_json(text)
        # Files that were written before there was a number are of the first.
        number = content.get("format", 1)
        if number == JSON_FORMAT:
            _RUN_FILE.read(f"{path}: ", content)
        run = _parsed(path, content) if number == JSON_FORMAT else None
    except InputError:
        raise
    except (ValueError, LookupError, TypeError, StopIteration, AttributeError):
        run, number = None, JSON_FORMAT
    if number != JSON_FORMAT:
        raise InputError(f"{path}: has JSON of format {shown(number)}; this version reads {JSON_FORMAT}: run it again")
    if run is None or not math.isfinite(run.half or 0.0):
        raise InputError(f"{path}: must be the JSON of a run, as mho run --json writes it")
    return run


def _parsed(path: str, content: Content) -> Run:
    results = content["results"]
    measure = next(key for key in MEASURES if key in results[0])
    scores, images = {entry["seed"]: float(entry[measure]) for entry in results}, content["images"]
    mean = float(np.mean(list(scores.values())))
    half = None if measure == "relative_error" else share_error(mean, images) * NORMAL
    if "uncertainty" in content:
        low, high = content["uncertainty"]["interval"]
        half = float(high - low) / 2.0
    return Run(
        path=path, content=content, time_s=float(content["options"]["time_s"]), measure=measure, scores=scores,
        half=half, images=images, right=_right(results, images),
    )


def _right(results: Sequence[Content], images: int) -> dict[int, NDArray[np.bool_]]:
    """What :meth:`mho.results.result.Result.to_dict` packed."""
    packed = {int(e["seed"]): np.frombuffer(bytes.fromhex(e["right"]), dtype=np.uint8) for e in results if "right" in e}
    if any(len(bits) != -(-images // 8) for bits in packed.values()):
        raise ValueError
    return {seed: np.unpackbits(bits, count=images).astype(np.bool_) for seed, bits in packed.items()}


def compare(first: Run, second: Run) -> Difference:
    """The difference of two runs with the same measure.

    Chips that both have, on the same images, are compared one by one: Student's test of their differences. Of a single
    chip each, the images are, if the files say which were right: the exact test of McNemar, with the interval of
    Agresti and Min (2005). Else the intervals of both add up as squares.

    Raises InputError if they were scored by different measures.
    """
    if first.measure != second.measure:
        raise InputError(
            f"{second.path}: has {MEASURES[second.measure]}, {first.path} {MEASURES[first.measure]}: "
            "both must be run with labels, or both without"
        )
    same = sorted(set(first.scores) & set(second.scores))
    alike = first.content["hashes"]["input"] == second.content["hashes"]["input"] and first.images == second.images
    if alike and len(same) > 1:
        return _by_chips(np.array([second.scores[seed] - first.scores[seed] for seed in same]))
    if alike and len(first.scores) == len(second.scores) == 1 and first.right and second.right:
        (first_right,), (second_right,) = first.right.values(), second.right.values()
        better, worse = int((second_right & ~first_right).sum()), int((first_right & ~second_right).sum())
        return _by_images(better, worse, first.images)
    half = None if first.half is None or second.half is None else math.hypot(first.half, second.half)
    value = second.mean - first.mean
    if half:
        p = float(2.0 * ndtr(-abs(value) / half * NORMAL))
    else:
        p = None if half is None else float(value == 0.0)
    return Difference(value=value, half=half, over="", p=p)


def _by_chips(away: NDArray[np.float64]) -> Difference:
    """Differences of the same chips."""
    value, freedom = float(away.mean()), len(away) - 1
    error = float(away.std(ddof=1)) / math.sqrt(len(away))
    p = float(2.0 * stdtr(freedom, -abs(value) / error)) if error else float(value == 0.0)
    return Difference(value=value, half=student(freedom) * error, over="chips", p=p)


def _by_images(better: int, worse: int, images: int) -> Difference:
    """Images that only the second, and only the first chip has right, of all."""
    apart = better + worse
    p = min(1.0, 2.0 * float(bdtr(min(better, worse), apart, 0.5))) if apart else 1.0
    padded = images + 2.0
    variance = ((apart + 1.0) - (better - worse) ** 2 / padded) / padded**2
    return Difference(value=(better - worse) / images, half=NORMAL * math.sqrt(variance), over="images", p=p)


def differing(first: Run, second: Run) -> list[KeyDifference]:
    """What is not the same: keys of chip and device with their names, and what else a run is a function of."""
    differences: list[KeyDifference] = []
    for part in ("chip", "device"):
        left, right = (run.content[part] for run in (first, second))
        names = key_differences({"name": left["name"]}, {"name": right["name"]})
        described = (*names, *description_differences(left, right))
        differences += [replace(difference, key=f"{part}.{difference.key}") for difference in described]
    left, right = ({k: run.content[k] for k in _FACTS if k in run.content} for run in (first, second))
    return differences + key_differences(left, right)


def costs(first: Run, second: Run) -> list[KeyDifference]:
    """Time and energy of an input of both, with their ratio, alike or not; those that neither says are left out."""
    left, right = (dict(dotted(run.content.get("cost") or {})) for run in (first, second))
    return [
        KeyDifference(key=key, first=left.get(key), second=right.get(key)) for key in _COSTS
        if (left.get(key), right.get(key)) != (None, None)
    ]
