"""The result of a run, as text."""

from typing import TYPE_CHECKING

from mho.commands.compile.summary_text import wrapped
from mho.results import score
from mho.results.facts import durations
from mho.terminal.console import Output
from mho.units import format_energy, format_time

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mho.results.result import Result


def print_result(result: "Result", truth: "NDArray[np.int64] | None", budget: bool, out: Output) -> None:
    """The answer as text."""
    options, run = result.options, result.runs[0]
    images = len(result.reference)
    causes = ", ".join(options.causes) or "none"
    out.text(
        f"{result.provenance['model']} on {result.provenance['chip']['name']}, {options.backend}: {images} inputs, "
        f"{options.device} at {format_time(options.time_s)}, {options.temp_C:g} C"
    )
    out.text(f"causes: {causes}")
    if "cells" in result.provenance:
        cells = result.provenance["cells"]
        out.text(
            f"cells: {cells['file'] or 'given'}, {cells['source']}, chip of seed {cells['seed']}, {cells['faults']} "
            "faulty"
        )
    if len(result.references) > 1:
        shapes = [f"{name} {list(output.shape[1:])}" for name, output in result.references.items()]
        out.text(f"outputs: {', '.join(shapes)}; scored: {result.scored}")
    out.table(("score", "mean", "deviation", "float model"), _scores(result, truth))
    if result.stacked:
        _print_uncertainty(result, truth, out)
    if len(result.runs) > 1:
        out.text()
        out.table(("seed", "score"), _per_seed(result, truth))
    out.text()
    latency, interval = durations(result.time.facts(result.f_clk_MHz))
    for line in wrapped(
        f"{run.mvms:,} conversions; latency of an input {latency}, interval from input to input {interval} at "
        f"{result.f_clk_MHz:g} MHz" + ", predicted" * result.time.predicted
    ):
        out.text(line)
    if not result.fit["fits"]:
        for line in wrapped(result.fit["note"]):
            out.text(line)
    _print_energy(result, out)
    headers = ("layer", "columns", "positions", "least code", "largest code", "saturated", "clipped inputs")
    rows = [
        (
            f["layer"], f["columns"], f["positions"], f["min"], f["max"], f"{f['saturated']:.2%}",
            f"{f['clipped'] / max(f['inputs'], 1):.2%}",
        )
        for f in result.layers()
    ]
    out.table(headers, rows)
    if budget:
        losses = result.budget if truth is None else result.budget(truth)
        for table in (losses.table(), losses.layer_table()):
            out.text()
            out.table(*table)


def _print_energy(result: "Result", out: Output) -> None:
    """Energy of the macros, where the description gives it."""
    energy = result.cost["energy"]
    if energy is None:
        return
    parts = ", ".join(f"{name} {format_energy(pJ)}" for name, pJ in energy["by_part_pJ"].items())
    bound = "" if energy["exact"] else "at most "
    out.text(
        f"energy of the macros: {bound}{format_energy(energy['total_pJ'], 4)} an input ({parts}), "
        f"{result.cost['tops_per_W']:.3g} TOPS/W; {energy['source']}"
    )
    if energy["extrapolated"]:
        out.text(f"extrapolated, by the rules of docs/explanation/costs.md: {energy['extrapolated']}")
    if energy["left_out"]:
        out.text(f"left out, not in the description: {', '.join(energy['left_out'])}")


def _scores(result: "Result", truth: "NDArray[np.int64] | None") -> list[tuple[str, ...]]:
    rows = []
    if truth is not None:
        mean, deviation = score.mean_and_deviation(result.accuracies(truth))
        rows.append(("accuracy", f"{mean:.2%}", f"{deviation:.2%}", f"{score.accuracy(result.reference, truth):.2%}"))
    if result.agreement is not None:
        values = [score.agreement(r.outputs, result.reference) for r in result.runs]
        mean, deviation = score.mean_and_deviation(values)
        rows.append(("same class as the float model", f"{mean:.2%}", f"{deviation:.2%}", ""))
    mean, deviation = score.mean_and_deviation([score.relative_error(r.outputs, result.reference) for r in result.runs])
    rows.append(("relative error of the outputs", f"{mean:.2%}", f"{deviation:.2%}", ""))
    return rows


def _print_uncertainty(result: "Result", truth: "NDArray[np.int64] | None", out: Output) -> None:
    """Chips, device and images apart, as standard errors of the mean, and the interval of all."""
    spread = result.uncertainty(truth)
    device = "not known" if spread.device is None else f"{spread.device:.2%} ({len(spread.device_scores)} drawn)"
    out.text(
        f"mean {spread.mean:.2%}, 90 % interval {spread.low:.2%} to {spread.high:.2%}; standard errors: chips "
        f"{spread.chips:.2%} ({len(result.runs)}, each +- {spread.chips_deviation:.2%}), device {device}, images "
        f"{spread.images:.2%} ({len(result.reference)})"
    )


def _per_seed(result: "Result", truth: "NDArray[np.int64] | None") -> list[tuple[str, ...]]:
    if truth is not None:
        values = list(result.accuracies(truth))
    elif result.agreement is not None:
        values = [score.agreement(r.outputs, result.reference) for r in result.runs]
    else:
        values = [score.relative_error(r.outputs, result.reference) for r in result.runs]
    return [(str(r.seed), f"{value:.2%}") for r, value in zip(result.runs, values, strict=True)]
