"""What a run gives: outputs, codes, cycles, and the answers that follow from them."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.compiler.facts import Fit
from mho.compiler.input_time import InputTime
from mho.macro_models.errors import InputError
from mho.macro_models.output import write_output
from mho.macro_models.shown import Shown
from mho.macro_models.threads import one_thread
from mho.results import score
from mho.results.budget import Budget, Passes, make_budget
from mho.results.facts import Cost, LayerRow, Provenance, Trace
from mho.results.uncertainty import DeviceRun, Uncertainty, make_uncertainty
from mho.units import format_time
from mho.version import JSON_FORMAT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mho.sim.backend import Observed

from mho.results.seed_run import Options, SeedRun

Outputs = NDArray[np.generic] | dict[str, NDArray[np.generic]]
"""Of a model with one output the output, of others all by name."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Result(Shown):
    """Outputs of a network on a chip, for one seed or for several.

    Members
    -------
    outputs
        In onnxruntime's shape; with ``seeds=N`` there is a leading axis of N. Of a model with several outputs a dict of
        them, by name.
    by_name
        The outputs by name, also where there is one.
    scored
        Which output accuracy, agreement and error are those of.
    codes
        For each layer the core's output codes in half steps, (images, columns), with ``seeds=N``
        (N, images, columns). More than 256 MB of them are kept only with ``keep_codes=True``.
    cycles
        Clock cycles of the chip for one pass over the images: an integer, with ``seeds=N`` an array of shape (N,).
    """

    options: Options
    runs: tuple[SeedRun, ...]
    references: dict[str, NDArray[np.generic]]
    """Outputs of the float model, by name."""
    f_clk_MHz: float
    stacked: bool
    """Whether outputs have a leading axis of seeds."""
    provenance: Provenance
    """Versions and hashes."""
    warnings: tuple[str, ...] = ()
    numbers: bool = False
    """Whether the output is of numbers, however many, which are not read as scores of classes without labels."""
    trace: Trace | None = None
    """What the tiles did in co-simulation, as the backend noted it of the last pass."""
    observed: "Observed | None" = None
    """Clock, counted cycles, waveforms and port that simulator or board really had; None of the functional backend."""
    cost: Cost
    """Time, energy and area of an image."""
    fit: Fit
    """Whether one chip holds the network, else what these figures are of: the key ``fit`` of the JSON."""
    inputs: dict[str, float] | None = None
    """The inputs beside those of calibration: see :meth:`mho.compiler.network.ranges.InputRange.compare`."""
    device_runs: tuple[DeviceRun, ...] = field(default=(), repr=False)
    """Passes through devices that the measurement of the device could as well have given."""
    budget_passes: Callable[[Callable[[int, int], None] | None], Passes] | None = field(default=None, repr=False)

    @property
    def by_name(self) -> dict[str, NDArray[np.generic]]:
        first = self.runs[0].by_name
        if not self.stacked:
            return first
        return {name: np.stack([r.by_name[name] for r in self.runs]) for name in first}

    @property
    def outputs(self) -> Outputs:
        return self.by_name if len(self.references) > 1 else next(iter(self.by_name.values()))

    @property
    def scored(self) -> str:
        return self.runs[0].scored

    @property
    def reference(self) -> NDArray[np.generic]:
        """The float model's output that is scored."""
        return self.references[self.scored]

    @property
    def codes(self) -> dict[str, NDArray[np.int16]]:
        first = self.runs[0].codes
        count = len(next(iter(first.values())))
        if count < len(self.reference):
            raise InputError(
                f"codes of {count} of {len(self.reference)} images were kept, since those of all take much memory; run "
                "with keep_codes=True to keep them"
            )
        if not self.stacked:
            return first
        return {layer: np.stack([r.codes[layer] for r in self.runs]) for layer in first}

    @property
    def cycles(self) -> "int | NDArray[np.int64]":
        return np.array([r.cycles for r in self.runs]) if self.stacked else self.runs[0].cycles

    @property
    def time(self) -> InputTime:
        """How long an input takes on the chip, in cycles: the mean over seeds."""
        return InputTime.mean([run.time for run in self.runs])

    @property
    def latency_us(self) -> float:
        """Time of an input from its begin to its result, in microseconds: the mean over seeds."""
        return self.time.latency / self.f_clk_MHz

    @property
    def interval_us(self) -> float:
        """Time from result to result while inputs follow each other, in microseconds: the mean over seeds."""
        return self.time.interval / self.f_clk_MHz

    def _facts(self) -> dict[str, object]:
        options, agreement, fit = self.options, self.agreement, self.fit
        return {
            "model": self.provenance["model"], "chip": self.provenance["chip"]["name"], "device": options.device,
            "time": format_time(options.time_s), "temp_C": options.temp_C, "backend": options.backend,
            "images": len(self.reference), "chips": len(self.runs),
            **({} if agreement is None else {"agreement": f"{agreement:.2%}"}),
            "relative error": f"{self.relative_error:.4g}", "latency": f"{self.latency_us:.4g} us",
            "interval": f"{self.interval_us:.4g} us", **({"fit": fit["note"]} if fit["note"] else {}),
        }

    def accuracies(self, labels: ArrayLike) -> NDArray[np.float64]:
        """Accuracy of each seed, 0..1, shape (seeds,)."""
        return np.array([score.accuracy(r.outputs, labels) for r in self.runs])

    def accuracy(self, labels: ArrayLike) -> float:
        """Share of images whose class is the label, 0..1: the mean over seeds. ``labels`` are integers, (images,)."""
        return float(self.accuracies(labels).mean())

    @property
    def classes(self) -> bool:
        """Whether the output that is scored is compared by classes where there are no labels."""
        return score.is_classifier(self.reference) and not self.numbers

    @property
    def agreement(self) -> float | None:
        """Share of images whose class is the float model's, 0..1, mean over seeds; ``None`` without classes."""
        if not self.classes:
            return None
        return float(np.mean([score.agreement(r.outputs, self.reference) for r in self.runs]))

    @property
    def relative_error(self) -> float:
        """Root mean square of the outputs' error over that of the float model's outputs, mean over seeds."""
        return float(np.mean([score.relative_error(r.outputs, self.reference) for r in self.runs]))

    def uncertainty(self, labels: ArrayLike | None = None) -> Uncertainty:
        """How sure the accuracy is, or, without labels, the agreement with the float model or the relative error.

        Chips, the measurement of the device and the finite set of images apart, and a 90 % interval of all.
        """
        reference = self.reference
        if labels is None and not self.classes:
            return self._uncertain_error()
        if labels is not None:
            self.accuracies(labels)  # refuses labels that do not fit
        truth = score.classes(reference) if labels is None else np.asarray(labels)

        def score_of(outputs: NDArray[np.generic]) -> tuple[float, NDArray[np.float64]]:
            right = (score.classes(outputs) == truth).astype(np.float64)
            return float(right.mean()), right

        images = np.array([score_of(run.outputs)[1] for run in self.runs])
        return make_uncertainty(
            images.mean(axis=1), images, self.device_runs, score_of, self.options.seeds, share=True
        )

    def _uncertain_error(self) -> Uncertainty:
        """Of the relative error; what an image adds to a root of a mean is by its derivative."""
        reference = self.reference
        size = max(float(np.sqrt(np.mean(np.square(reference, dtype=np.float64)))), 1e-30)
        axes = tuple(range(1, reference.ndim))

        def score_of(outputs: NDArray[np.generic]) -> tuple[float, NDArray[np.float64]]:
            square = ((outputs.astype(np.float64) - reference.astype(np.float64)) ** 2).mean(axis=axes)
            root = max(float(np.sqrt(square.mean())), 1e-30)
            return root / size, square / (2.0 * size * root)

        scores, images = zip(*(score_of(run.outputs) for run in self.runs), strict=True)
        return make_uncertainty(
            np.array(scores), np.array(images), self.device_runs, score_of, self.options.seeds, share=False
        )

    @cached_property
    def budget(self) -> Budget:
        """The error budget against the float model; ``r.budget(y)`` scores it by accuracy.

        When it is first asked for, the network runs for each seed once with every subset of the causes that matter, on
        the functional backend: the bits of every backend are the same.
        """
        return self.compute_budget()

    def compute_budget(self, progress: Callable[[int, int], None] | None = None) -> Budget:
        """:attr:`budget`, with a callback that is told (passes done, passes)."""
        if "budget" in self.__dict__:
            return self.budget
        if self.budget_passes is None:
            raise TypeError("this result does not know its network")
        with one_thread():
            passes = self.budget_passes(progress)

        def by_accuracy(labels: ArrayLike) -> Budget:
            return make_budget(passes, "accuracy", lambda o: score.accuracy(o, labels), by_accuracy)

        by_float, measure = score.relative_error, "relative error"
        if self.classes:
            by_float, measure = score.agreement, "agreement"
        budget = make_budget(passes, measure, lambda outputs: by_float(outputs, self.reference), by_accuracy)
        self.__dict__["budget"] = budget
        return budget

    def layers(self) -> list[LayerRow]:
        """For each layer the range of its codes over all seeds and images, in half steps, and shares.

        ``columns`` are converted at each of ``positions``; ``saturated`` is the share of codes at the end of the
        converter's range; ``clipped`` of ``inputs`` of the layer were beyond what its codes reach, ``limited`` of its
        outputs beyond what its converters take, before there was a code.
        ``codes`` counts codes in equal parts of the range from -top to top, of the first images where there are many.
        """
        rows: list[LayerRow] = []
        for name, first in self.runs[0].layers.items():
            figures = [run.layers[name] for run in self.runs]
            rows.append({
                "layer": name,
                "columns": first.columns,
                "positions": first.positions,
                "min": min(chip.least for chip in figures),
                "max": max(chip.largest for chip in figures),
                "saturated": float(np.mean([chip.saturated for chip in figures])),
                "clipped": sum(chip.clipped for chip in figures),
                "inputs": sum(chip.inputs for chip in figures),
                "limited": sum(chip.limited for chip in figures),
                "codes": {
                    "top": first.codes.top,
                    "counts": np.sum([chip.codes.counts for chip in figures], axis=0).tolist(),
                },
            })
        return rows

    def plot(self, labels: ArrayLike | None = None) -> "Figure":
        """A figure: outputs against the float model's, and the codes of each layer."""
        from mho.figures.run import plot_run

        options, first = self.options, self.runs[0]
        codes = {name: np.stack([run.codes[name] for run in self.runs]) for name in first.codes}
        accuracies = None if labels is None else dict(zip(options.seeds, self.accuracies(labels).tolist(), strict=True))
        where = f"{self.provenance['model']} on {self.provenance['chip']['name']}"
        return plot_run(
            codes, self.reference, first.outputs, chip=f"{options.device}, seed {options.seeds[0]}",
            error=self.relative_error, accuracies=accuracies,
            reference_accuracy=0.0 if labels is None else score.accuracy(self.reference, labels),
            title=f"{where}: {options.device} after {format_time(options.time_s)} at {options.temp_C:g} °C",
        )

    def to_dict(self, labels: ArrayLike | None = None, *, budget: bool = False) -> dict[str, object]:
        """For JSON: provenance, options, results per seed, code ranges per layer, cycles."""
        seeds = []
        for run in self.runs:
            entry: dict[str, object] = {
                "seed": run.seed,
                "mvms": run.mvms,
                "cycles": run.cycles,
                "chip_time_us": run.cycles / self.f_clk_MHz,
                **run.time.facts(self.f_clk_MHz),
                "relative_error": score.relative_error(run.outputs, self.reference),
            }
            if self.classes:
                entry["agreement"] = score.agreement(run.outputs, self.reference)
            if labels is not None:
                entry["accuracy"] = score.accuracy(run.outputs, labels)
            if labels is not None or self.classes:
                truth = score.classes(self.reference) if labels is None else np.asarray(labels)
                # A bit for each image, by which runs are compared image by image.
                entry["right"] = np.packbits(score.classes(run.outputs) == truth).tobytes().hex()
            seeds.append(entry)
        content: dict[str, object] = {
            "format": JSON_FORMAT,
            **self.provenance,
            "options": asdict(self.options),
            "images": len(self.reference),
            "results": seeds,
            "inputs": self.inputs,
            **self._outputs(),
            "layers": self.layers(),
            "f_clk_MHz": self.f_clk_MHz,
            "fit": self.fit,
            "cost": self.cost,
            "warnings": list(self.warnings),
        }
        if self.trace is not None:
            content["trace"] = self.trace
        if self.stacked:
            content["uncertainty"] = self.uncertainty(labels).to_dict()
        if labels is not None:
            mean, deviation = score.mean_and_deviation(self.accuracies(labels))
            reference = score.accuracy(self.reference, labels)
            content["accuracy"] = {"float": reference, "mean": mean, "deviation": deviation}
        if budget:
            content["budget"] = (self.budget if labels is None else self.budget(labels)).to_dict()
        return content

    def _outputs(self) -> dict[str, object]:
        """Of several outputs: which is scored, and the error of each, the mean over seeds."""
        if len(self.references) == 1:
            return {}
        errors = {}
        for name, reference in self.references.items():
            text = reference.dtype.kind in "US"
            measure, label = (score.alike, "agreement") if text else (score.relative_error, "relative_error")
            by_seed = [measure(run.by_name[name], reference) for run in self.runs]
            errors[name] = {"shape": list(reference.shape), label: float(np.mean(by_seed))}
        return {"scored": self.scored, "outputs": errors}

    def save_json(self, path: str | Path, labels: ArrayLike | None = None, *, budget: bool = False) -> None:
        """Write :meth:`to_dict` to a file."""
        write_output(path, (json.dumps(self.to_dict(labels, budget=budget), indent=2, allow_nan=False) + "\n").encode())
