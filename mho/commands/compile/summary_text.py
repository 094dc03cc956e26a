"""What a compilation made, as text."""

from collections.abc import Sequence
from typing import Any

from mho.commands.compile.plan_text import print_plan, wrapped
from mho.terminal.console import Output
from mho.units import duration

__all__ = ["print_summary", "print_tiles", "summary_lines", "tile_lines"]

MOST_UNSIGNED = 3
"""Layers with inputs without a sign whose names are printed."""
MOST_OUTPUTS = 3
"""Outputs whose errors are printed."""


def summary_lines(summary: dict[str, Any]) -> tuple[str, ...]:
    """Size and speed of a compiled network, in words."""
    least, cores = summary["cores_least"], summary["cores"]
    taken = f"{cores} core{'' if cores == 1 else 's'}"
    if least is not None and least < cores:
        taken += f", of which {least} would do"
    bound = summary.get("cores_bound")
    if least is not None and bound is not None and bound < least:
        taken += f" (no fewer than {bound}, by proof)"
    size = (
        f"{summary['model']} on {summary['chip']} with {summary['device']}: {taken} "
        f"(schedule: {summary['schedule']}), {summary['utilisation']:.1%} of {summary['cells']:,} cells"
    )
    how = f"predicted for inputs of the calibration{_host_between(summary)}" if summary["tiles"] else (
        f"mean of the calibration, {summary['cycles_worst']:,} cycles at worst")
    speed = (
        f"{summary['mvms_per_image']:,} conversions an input; latency of an input {duration(summary, 'latency')}, "
        f"interval from input to input {duration(summary, 'interval')}; {how}"
    )
    return size, *wrapped(speed)


def _host_between(summary: dict[str, Any]) -> str:
    """What tiles wait for, that is not in a prediction."""
    between = ", ".join(dict.fromkeys(summary.get("host_between", ())))
    return f", with a host that answers at once between layers ({between})" if between else ""


def redundancy_lines(summary: dict[str, Any]) -> list[str]:
    """What noise of the cells does to outputs that are numbers, and what was spent against it."""
    told = summary["redundancy"]
    if told is None:
        return []
    reached, without, wanted = (f"{told[key]:.1%}" for key in ("reached", "without", "wanted"))
    products = sum(layer["products"] * layer["positions"] for layer in summary["layers"])
    text = f"outputs are numbers: noise of the cells makes an estimated {reached} of them (wanted: {wanted})"
    cores, more = summary["cores"] - told["cores"], products - told["products"]
    if cores or more:
        text += f", {without} without {cores} more cores and {more:,} more products an input (--error 1)"
    return wrapped(text)


def tile_lines(summary: dict[str, Any]) -> list[str]:
    """Which tile works longest, and what programs take of memories."""
    told = summary["tiles"]
    if told is None:
        return []
    worst = next(one for one in told["tiles"] if one["tile"] == told["bottleneck"])
    layers = " and ".join(worst.get("layers", []))
    tile = f"{worst['tile']} ({layers})" if layers else worst["tile"]
    return wrapped(
        f"the array of tile {tile} works longest, {worst['analog_cycles']:,.0f} cycles of the interval "
        f"({worst['utilisation']:.1%}){_taken(told['tiles'])}"
    )


def _taken(tiles: Sequence[dict[str, Any]]) -> str:
    """The most that a program takes of each memory; older files do not say it."""
    if any("takes" not in one for one in tiles):
        return ""
    most = {name: max(one["takes"][name] for one in tiles) for name in ("buffer", "parameters", "instructions")}
    return (f"; programs take at most {most['buffer']:,} bytes of a buffer, {most['parameters']:,} parameters and "
            f"{most['instructions']:,} instructions")


def unsigned_lines(summary: dict[str, Any]) -> list[str]:
    """What it costs that inputs of layers have no sign."""
    some = [layer for layer in summary["layers"] if layer["unsigned_cycles"]]
    if not some:
        return []
    names = ", ".join(f"{layer['name']} at {layer['in_bits']} bits" for layer in some[:MOST_UNSIGNED])
    more = f" and {len(some) - MOST_UNSIGNED} more" if len(some) > MOST_UNSIGNED else ""
    cycles, products = (sum(layer[key] for layer in layers) for key, layers in (
        ("unsigned_cycles", some), ("cycles_mean", summary["layers"])))
    return wrapped(
        f"inputs without a sign ({names}{more}) have one magnitude plane more than signed ones of as many bits: "
        f"{cycles:,} cycles of an input, {cycles / products:.0%} of its products"
    )


def output_lines(summary: dict[str, Any]) -> list[str]:
    """How far the outputs are from the float model's over the calibration inputs: those that are furthest."""
    told = sorted(summary["outputs"], key=lambda one: -(one["error"] or one["classes"] or 0.0))
    text = []
    for one in told[:MOST_OUTPUTS]:
        said = [
            f"{_figures(one[f'classes{end}'], one[f'error{end}'])} on {where}"
            for end, where in (("", "perfect cells"), ("_aged", "those of the device"))
            if (one[f"classes{end}"], one[f"error{end}"]) != (None, None)
        ]
        text.append(f"{one['name']}: {', '.join(said)}")
    if not text:
        return []
    return wrapped(f"beside the float model, over {told[0]['inputs']} calibration inputs: {'; '.join(text)}")


def _figures(classes: float | None, error: float | None) -> str:
    found = [] if classes is None else [f"{classes:.1%} of decisions differ"]
    return " and ".join([*found, *([] if error is None else [f"error {error:.1%}"])])


def slices_text(layer: dict[str, Any]) -> str:
    """Slices of a layer and what each counts more than the next, as in ``3 (x 16)``."""
    return f"{layer['slices']} (x {2 ** layer['slice_bits']})" if layer["slices"] > 1 else "1"


def print_summary(summary: dict[str, Any], out: Output) -> None:
    """The report of a compilation."""
    said = summary_lines, tile_lines, unsigned_lines, redundancy_lines, output_lines
    for line in (line for lines in said for line in lines(summary)):
        out.text(line)
    print_plan(summary["plan"], out)
    # As narrow as it can be: 80 columns show all of it.
    headers = ("layer", "size", "relu", "slices", "copies", "products", "bits", "cycles", "error")
    rows = [
        (
            layer["name"], f"{layer['inputs']} x {layer['outputs']}", "yes" if layer["relu"] else "",
            slices_text(layer), layer["copies"], layer["products"], f"{layer['in_bits']} / {layer['out_bits']}",
            f"{layer['cycles_mean']:.0f}", f"{layer['error']:.3f}",
        )
        for layer in summary["layers"]
    ]
    out.table(headers, rows)


def print_tiles(told: dict[str, Any] | None, out: Output) -> None:
    """What each tile would hold, or why none would."""
    if told is None:
        return
    if told["refused"] is not None:
        for line in wrapped(f"not on tiles: {told['refused']}"):
            out.text(line)
        return
    rows = []
    for one in told["tiles"]:
        names = [*one["layers"][:2], *["..."] * (len(one["layers"]) > 2)]
        rows.append((one["tile"], ", ".join(names), f"{one['cells']:,}", one["products"], f"{one['cycles']:,}"))
    out.table(("tile", "layers", "cells", "products", "cycles"), rows)
