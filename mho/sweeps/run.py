"""A sweep from its file to its tables: what is not done yet is handed to workers, and kept row by row."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from mho.compiler.footprint import work_bytes
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.mapping import place
from mho.hw.config import Chip
from mho.macro_models.devices.sections.fit import NORMAL, student
from mho.macro_models.files.memory import available_bytes
from mho.macro_models.shown import Shown
from mho.results.uncertainty import share_error
from mho.sweeps.evaluate import Row, begin, evaluate
from mho.sweeps.folder import Folder
from mho.sweeps.search.search import chosen
from mho.sweeps.spec.measures import MEASURES
from mho.sweeps.spec.points import Point, Space
from mho.sweeps.spec.spec import Spec
from mho.workers import PROCESS_BYTES, Workers, check_jobs, check_processes, processes_text, processors, workers


def point_bytes(spec: Spec) -> int:
    """Memory that a process takes for a point, by estimate, in bytes: of the largest network on the largest chip."""
    chips = [chip for chip in spec.built.values() if isinstance(chip, Chip)]
    largest = max(chips, key=lambda chip: (chip.macro_config().cell_map.shape[0], chip.cores))
    needed = 0
    for workload in spec.networks.values():
        net = import_onnx(workload.model, x=workload.calibrate)
        placement = place(
            [layer.shape for layer in net.layers], largest.macro_config().cell_map, copies=1, cores=largest.cores
        )
        needed = max(needed, work_bytes(net, placement, samples=len(workload.calibrate), images=workload.images))
    return PROCESS_BYTES + needed


def bounded_jobs(spec: Spec, limit: int | None, points: int, note: Callable[[str], None]) -> int:
    """Processes of a sweep; says what they take.

    Raises InputError if there is no memory for as many as are asked for, or for one.

    Parameters
    ----------
    asked
        As many; None: one for each processor, as far as the memory allows.
    points
        Rows that are to be done at most.
    """
    if limit is not None:
        check_jobs(limit)
    process_bytes = point_bytes(spec)
    jobs = max(1, min(limit or min(processors(), max(1, available_bytes() // process_bytes)), points))
    check_processes(jobs, process_bytes)
    note(processes_text(jobs, process_bytes))
    return jobs


def half_interval(values: Sequence[float], images: int, *, share: bool) -> float | None:
    """Half of the 90 % interval of a mean over chips; None of a single chip whose values say nothing of their scatter.

    The scatter from chip to chip (Student's t) and, of a share of a finite set of images, that of the images. What
    images do to the scatter of chips is in both: the interval is rather wide than narrow.
    """
    chips = images_half = 0.0
    if len(values) > 1:
        chips = student(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    elif not share:
        return None
    if share:
        images_half = NORMAL * share_error(float(np.mean(values)), images)
    return math.hypot(chips, images_half)


def summarise_design(columns: Mapping[str, object], rows: Iterable[Row]) -> Row:
    """A design in one row.

    Its columns, how many chips, whether one holds the network (``fits``; if not, figures are of several), and for each
    measure ``NAME`` (mean), ``NAME_deviation`` and ``NAME_half`` (half of the 90 % interval); ``extrapolated`` as its
    rows have it; ``error`` where none of its rows has results.
    """
    rows = list(rows)
    good = [row for row in rows if not row["error"]]
    summary: Row = {**columns, "chips": len(good), "images": rows[0]["images"] if rows else 0}
    if good:
        summary["fits"] = all(row["fits"] for row in good)
    for name, measure in MEASURES.items():
        values = [row[name] for row in good if name in row]
        if not values:
            continue
        half = half_interval(values, rows[0]["images"], share=measure.share)
        summary[name] = float(np.mean(values))
        summary[f"{name}_deviation"] = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        if half is not None:
            summary[f"{name}_half"] = half
    if good and "extrapolated" in good[0]:
        summary["extrapolated"] = good[0]["extrapolated"]
    return summary | {"error": "" if good or not rows else rows[0]["error"]}


Progress = Callable[[int, int], None]
Open = Callable[[Callable[..., object], tuple[object, ...]], AbstractContextManager[Workers]]
"""Makes workers that begin with a call."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Sweep(Shown):
    """What a sweep gave."""

    rows: tuple[Row, ...]
    """A row for each point, design by design in the order of their numbers, seed by seed."""
    designs: tuple[Row, ...]
    """A row for each design, see :func:`summarise_design`."""
    found: int
    """Rows that were there before."""

    def _facts(self) -> dict[str, object]:
        return {"rows": len(self.rows), "designs": len(self.designs), "refused": len(self.refused)}

    @property
    def refused(self) -> tuple[Row, ...]:
        """Rows of points that are refused."""
        return tuple(row for row in self.rows if row["error"])


class _Work:
    """Rows of points, from the folder or from workers."""

    def __init__(self, folder: Folder, team: Workers, total: int, progress: Progress | None) -> None:
        self._folder, self._team, self._total, self._progress = folder, team, total, progress
        self._done = self.found = 0

    def rows(self, points: Sequence[Point]) -> dict[str, Row]:
        """The row of each point by its name."""
        rows = {point.name: row for point in points if (row := self._folder.find(point.name)) is not None}
        self.found += len(rows)
        self._tell(len(rows))
        missing = _in_turn(point for point in points if point.name not in rows)
        for number, row in self._team.run(evaluate, missing):
            self._folder.keep(row)
            rows[missing[number].name] = row
            self._tell(1)
        return rows

    def _tell(self, more: int) -> None:
        self._done += more
        if self._progress is not None:
            self._progress(self._done, self._total)


def run_sweep(
    spec: Spec, folder: Folder, *, jobs: int = 1, open_workers: Open | None = None, progress: Progress | None = None,
) -> Sweep:
    """Run what is not there yet, and return all rows.

    Raises MhoError if something failed that is not of a point. What is done is kept.

    Parameters
    ----------
    spec, folder
        What is run, and where rows are kept.
    jobs
        Processes, where workers are not opened otherwise.
    open_workers
        Opens workers that call a function first; None: processes of this machine.
    progress
        Called with (rows done, rows at most).
    """
    space, by_design = Space(spec), {}
    opened = workers(jobs, begin, (spec,)) if open_workers is None else open_workers(begin, (spec,))
    with folder.taken(), opened as team:
        work = _Work(folder, team, spec.rows, progress)

        def evaluated(numbers: Sequence[int]) -> list[Row]:
            points = {number: list(space.points(number)) for number in numbers}
            rows = work.rows([point for design_points in points.values() for point in design_points])
            for number, design_points in points.items():
                by_design[number] = [rows[point.name] for point in design_points]
            return [summarise_design(space.design(number).columns(), by_design[number]) for number in numbers]

        chosen(space.shape, space.ordered, spec.search, evaluated)
    numbers = sorted(by_design)
    return Sweep(
        rows=tuple(row for number in numbers for row in by_design[number]),
        designs=tuple(
            summarise_design(space.design(number).columns(), by_design[number]) for number in numbers
        ),
        found=work.found,
    )


def _in_turn(points: Iterable[Point]) -> list[Point]:
    """One of each network that is to be compiled, then the next of each: workers do not wait for one network."""
    turns: dict[str, int] = {}
    placed = []
    for number, point in enumerate(points):
        turn = turns[point.compiled] = turns.get(point.compiled, -1) + 1
        placed.append((turn, number, point))
    return [point for _, _, point in sorted(placed, key=lambda entry: entry[:2])]
