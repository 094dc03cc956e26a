"""The error budget of a run: what each cause of non-ideality costs, alone and as its share of the loss; its runs."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from itertools import permutations
from statistics import fmean as mean
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config import Chip
from mho.macro_models.devices import CAUSES, Device
from mho.macro_models.shown import Shown
from mho.results import score

if TYPE_CHECKING:
    from mho.sim.programming.instance import Cells

MOST_EXACT = 5
"""Causes up to which every order of them is averaged; of more, a few orders that treat all alike."""

Causes = tuple[str, ...]


Subset = frozenset[str]


@dataclass(frozen=True, eq=False)
class Passes:
    """Outputs of a network with some of the causes on."""

    reference: NDArray[np.generic]
    """Outputs of the float model."""
    active: Causes
    """Causes that change anything, in their usual order; the others are as good as off."""
    outputs: Mapping[Subset, tuple[NDArray[np.generic], ...]]
    """For each of :func:`subsets` of the active causes the outputs of each seed; without any cause of one for all."""
    by_layer: Mapping[str, tuple[NDArray[np.generic], ...]] = field(default_factory=dict)
    """The outputs of each seed where one layer alone has all causes, by its name."""


@dataclass(frozen=True)
class BudgetRow:
    """One line of a budget: the score of each seed with the causes in ``causes`` on."""

    name: str
    causes: Causes
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return score.mean_and_deviation(self.values)[0]

    @property
    def deviation(self) -> float:
        return score.mean_and_deviation(self.values)[1]


@dataclass(frozen=True, repr=False)
class Budget(Shown):
    """Where the loss comes from: the float model, the quantised ideal chip, each cause alone, all together.

    A cause has two losses: the one with it alone on (:meth:`loss` of its row), and its share of the loss with all on
    (:meth:`share`): what it costs to switch it on, averaged over the orders in which causes can be switched on (its
    Shapley value). Shares add up to the loss of all; losses alone do not, and what is missing is :attr:`interaction`.
    """

    measure: str
    """``accuracy`` against labels; ``agreement`` of the class with the float model's; or ``relative error`` of the
    outputs against the float model's (root mean square)."""
    rows: tuple[BudgetRow, ...]
    """In the order above."""
    shares: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Of each cause the share of each seed, as a fraction of 1 like the scores. Causes that nothing is drawn for, as
    stuck cells of a device without, have 0."""
    passes: int = 0
    """Subsets of the causes that were run for each seed."""
    layers: tuple[BudgetRow, ...] = ()
    """The layers in order, each as the one that all causes are on in."""
    _score: Callable[[ArrayLike], "Budget"] | None = field(default=None, repr=False, compare=False)

    def __call__(self, labels: ArrayLike) -> "Budget":
        """The same budget scored by accuracy against ``labels``, integers of shape (images,)."""
        if self._score is None:
            raise TypeError("this budget was read from a file: its outputs are gone and it cannot be scored again")
        return self._score(labels)

    def __iter__(self) -> Iterator[BudgetRow]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> BudgetRow:
        return next(row for row in self.rows if row.name == name)

    def loss(self, row: BudgetRow) -> float:
        """What ``row`` loses against the quantised ideal chip (positive is worse)."""
        difference = self["ideal"].mean - row.mean
        return -difference if self.measure == "relative error" else difference

    def share(self, row: BudgetRow) -> float | None:
        """Share of a cause in the loss of all, mean over seeds; of the row "all" the sum. None for float and ideal."""
        if row.name == "all":
            return sum(score.mean_and_deviation(values)[0] for values in self.shares.values())
        values = self.shares.get(row.name)
        return None if values is None else score.mean_and_deviation(values)[0]

    @property
    def interaction(self) -> float:
        """Loss of all together less the sum of the losses of each cause alone."""
        return self.loss(self["all"]) - sum(self.loss(self[name]) for name in self.shares)

    def table(self) -> tuple[Causes, list[Causes]]:
        """Headers and rows as text. Scores are in per cent, losses and shares in points."""
        headers = ("causes that are on", self.measure, "deviation", "loss", "share")
        rows = [
            (
                row.name,
                f"{row.mean:.2%}",
                f"{100 * row.deviation:.2f}",
                "" if row.name == "float" else _points(self.loss(row)),
                _points(self.share(row)),
            )
            for row in self.rows
        ]
        return headers, [*rows, ("all less the sum of each alone", "", "", _points(self.interaction), "")]

    def layer_table(self) -> tuple[Causes, list[Causes]]:
        """:meth:`table` of the layers, each with all causes while all others are ideal."""
        rows = [(row.name, f"{row.mean:.2%}", f"{100 * row.deviation:.2f}", _points(self.loss(row)))
                for row in self.layers]
        return ("layer that all are on in", self.measure, "deviation", "loss"), rows

    def __str__(self) -> str:
        headers, rows = self.table()
        first, *widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
        return "\n".join(
            "  ".join([name.ljust(first), *(cell.rjust(w) for cell, w in zip(cells, widths, strict=True))]).rstrip()
            for name, *cells in (headers, *rows)
        )

    def _facts(self) -> dict[str, object]:
        shares = {name: f"{100 * mean(values):.2f} points" for name, values in self.shares.items()}
        return {"of": self.measure, **{row: f"{self[row].mean:.2%}" for row in ("float", "ideal", "all")}, **shares}

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def to_dict(self) -> dict[str, object]:
        """For JSON: measure; rows, each with mean, deviation and the value of each seed; losses as fractions of 1.

        A cause's row has ``alone``, its loss with nothing else on, ``share``, ``share_deviation`` over seeds and
        ``shares`` of each seed. ``total`` is the loss of all and the sum of the shares, ``interaction`` what the losses
        alone miss of it. ``layers`` are rows, too, each with the ``loss`` of all causes in that layer alone.
        """
        return {
            "measure": self.measure,
            "rows": [self._row(row) for row in self.rows],
            "total": self.loss(self["all"]),
            "interaction": self.interaction,
            "passes": self.passes,
            "layers": [self._row(row) | {"loss": self.loss(row)} for row in self.layers],
        }

    def _row(self, row: BudgetRow) -> dict[str, object]:
        entry: dict[str, object] = {**asdict(row), "mean": row.mean, "deviation": row.deviation}
        if row.name in self.shares:
            share, deviation = score.mean_and_deviation(self.shares[row.name])
            entry |= {"alone": self.loss(row), "share": share, "share_deviation": deviation}
            entry["shares"] = list(self.shares[row.name])
        return entry


def _points(value: float | None) -> str:
    return "" if value is None else f"{round(100 * value, 2) + 0.0:+.2f}"


def orders(causes: Causes) -> list[Causes]:
    """Orders in which causes are switched on.

    All of them up to :data:`MOST_EXACT` causes; of n more the n rotations and their reverses, in which every cause
    takes every place twice.
    """
    if len(causes) <= MOST_EXACT:
        return list(permutations(causes))
    rotations = [causes[k:] + causes[:k] for k in range(len(causes))]
    return rotations + [tuple(reversed(order)) for order in rotations]


def subsets(causes: Causes) -> list[Subset]:
    """What has to be run for :func:`orders` of ``causes``: none, each cause alone, and so on to all, smallest first."""
    sets = {frozenset(order[:k]) for order in orders(causes) for k in range(len(causes) + 1)}
    return sorted(sets, key=lambda on: (len(on), [causes.index(cause) for cause in causes if cause in on]))


def shares(causes: Causes, losses: Mapping[Subset, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Share of each cause in the loss of all: what it adds when it is switched on, mean over :func:`orders`.

    ``losses`` has those of all :func:`subsets`, of any shape; the shares have the same and add up to
    ``losses[all] - losses[none]``.
    """
    chosen = orders(causes)
    total = {cause: np.zeros_like(losses[frozenset()]) for cause in causes}
    for order in chosen:
        for k, cause in enumerate(order):
            total[cause] += losses[frozenset(order[: k + 1])] - losses[frozenset(order[:k])]
    return {cause: value / len(chosen) for cause, value in total.items()}


def make_budget(
    passes: Passes,
    measure: str,
    value: Callable[[NDArray[np.generic]], float],
    rescore: Callable[[ArrayLike], Budget] | None = None,
) -> Budget:
    """The budget of passes of a network, each output scored by ``value``."""
    scores = {on: tuple(map(value, outputs)) for on, outputs in passes.outputs.items()}
    ideal, active = scores[frozenset()], frozenset(passes.active)
    seeds = len(scores[active]) if active else 1
    rows = [BudgetRow("float", (), (value(passes.reference),)), BudgetRow("ideal", (), ideal)]
    shown = [cause for cause in CAUSES if cause != "sensor" or cause in active]
    for cause in shown:
        rows.append(BudgetRow(cause, (cause,), scores[frozenset({cause})] if cause in active else ideal * seeds))
    rows.append(BudgetRow("all", tuple(shown), scores[active] if active else ideal))
    sign = 1.0 if measure == "relative error" else -1.0
    losses = {on: sign * (np.array(values) - ideal[0]) for on, values in scores.items()}
    losses[frozenset()] = np.zeros(seeds)
    by_cause = shares(passes.active, losses)
    table = {cause: tuple(by_cause.get(cause, np.zeros(seeds)).tolist()) for cause in shown}
    layers = tuple(BudgetRow(name, tuple(shown), tuple(map(value, made))) for name, made in passes.by_layer.items())
    return Budget(measure, tuple(rows), table, len(scores), layers, rescore)


_GRID = 257
"""Conductances at which a device is asked whether it has any noise."""


def active_causes(chip: Chip, device: Device, time_s: float, cells: "Cells | None" = None) -> Causes:
    """Causes that can change anything on a chip with these devices, ``time_s`` seconds after programming."""
    of_macro = chip.macro_config().active_causes(device)
    g = np.linspace(0.0, chip.cells.g_full_scale_uS, _GRID)
    active = {
        "programming": cells is not None or bool(device.law.model) or bool(device.window_uS(g).any()),
        "relaxation": device.relaxes and time_s > 0.0,
        "read-noise": bool(device.read_noise_uS(g, time_s).any()),
        "wire": "wire" in of_macro,
        "adc": "adc" in of_macro,
        "sensor": chip.sensor.model.spreads and device.converter.spread,
        "stuck": device.stuck.fraction > 0.0 if cells is None else cells.faults > 0,
    }
    return tuple(cause for cause in CAUSES if active[cause])


def run_passes(
    reference: NDArray[np.generic],
    active: Causes,
    seeds: tuple[int, ...],
    layers: Sequence[str],
    run: Callable[[int, Collection[str], int | None], NDArray[np.generic]],
    progress: Callable[[int, int], None] | None = None,
) -> Passes:
    """Runs every subset of the active causes on the same chips, so that their scores differ by the causes alone.

    ``run`` takes a seed, the causes that are on, and the number of the one layer that has them, None for all; it gives
    the outputs. ``layers`` are the names of all.
    """
    sets, every = subsets(active), frozenset(active) - {"sensor"}
    tasks = [(on, None) for on in sets] + [(every, k) for k in range(len(layers)) if every]
    outputs: list[tuple[NDArray[np.generic], ...]] = []
    for number, (on, layer) in enumerate(tasks, 1):
        outputs.append(tuple(run(seed, on, layer) for seed in (seeds if on else seeds[:1])))
        if progress:
            progress(number, len(tasks))
    by_layer = dict(zip(layers, outputs[len(sets) :], strict=False))
    return Passes(reference, active, dict(zip(sets, outputs, strict=False)), by_layer)
