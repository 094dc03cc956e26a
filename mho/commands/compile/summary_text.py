"""What a compilation made, and the plan of a network, as text of at most 80 columns."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mho.results.facts import durations
from mho.terminal.console import Output

if TYPE_CHECKING:
    from mho.compiler.facts import Fitting, LayerFacts, NetworkPlan, PlannedTiles, Summary, TileCycles
    from mho.results.attempt import Attempt

WIDTH, NAME, OPERATOR, NAMES, CHANGES = 80, 14, 12, 100, 36
"""Characters of a line, of a name, of an operator, of names in a row, and of changes, at most."""

PRESETS = 3
"""Presets that are named at most."""


def print_plan(plan: "NetworkPlan", out: Output) -> None:
    """What runs where, and what it takes."""
    headers = ("step", "runs in", "weights", "at", "cores", "conv.", "cycles", "lanes")
    rows = []
    for step in plan["steps"]:
        if step["place"] == "array":
            what = (f"{step['inputs']} x {step['outputs']}", step["positions"], len(step["cores"]))
            rest = (_short(step["conversions"]), _short(step["cycles_worst"]))
        else:
            what, rest = (step["operator"][:OPERATOR], "-", "-"), ("-", "-")
        rows.append((_cut(step["name"], NAME), step["place"], *what, *rest, _short(step["lanes"])))
    out.table(headers, rows)
    for line in plan_lines(plan):
        out.text(line)


def plan_lines(plan: "NetworkPlan") -> list[str]:
    """Sums of an image, what runs together, and what the host does."""
    sentences = [
        f"{_count(plan['weights'], 'weight')} in {_count(plan['cells'], 'cell')}; an input takes "
        f"{_count(plan['conversions'], 'conversion')}",
        f"cycles at worst: {plan['cycles_serial']:,} one product after the other, {plan['cycles_parallel']:,} with "
        f"those of a level together if the chip has the cores; {plan['cycles_core']:,} on the busiest core",
        f"activations: {_count(plan['lanes'], 'lane')} alive at most, {plan['activation_bytes']:,} bytes",
    ]
    for level in plan["levels"]:
        if level["cycles_parallel"] < level["cycles_serial"]:
            sentences.append(
                f"together on {len(level['cores'])} cores in {level['cycles_parallel']:,} cycles, not "
                f"{level['cycles_serial']:,}: {_some(level['layers'])}"
            )
    for work in plan["host"]:
        crossing = []
        if work["from_chip"]:
            crossing.append(f"{work['from_chip']:,} values from the chip")
        if work["to_chip"]:
            crossing.append(f"{work['to_chip']:,} to the chip")
        sentences.append(f"at the host: {work['name']}, {', '.join(crossing)}: {_some(work['operators'].split(), ' ')}")
    return [line for sentence in sentences for line in wrapped(sentence)]


def print_fit(fit: "Fitting | None", out: Output) -> None:
    """Whether a network fits the chip, by how much it does not, and what would do; nothing if no number would."""
    if fit is None:
        return
    fewest, bound, cores = fit["least"], fit["bound"], fit["there"]
    proof = "by proof" if bound == fewest else f"by proof no fewer than {bound}"
    if not fit["missing"]:
        out.text(f"fits: {_count(fit['cores'], 'core')} of {cores}; the least is {fewest}, {proof}")
        return
    would = [f"{one['chip']} ({one['least']} of {_count(one['there'], 'core')})" for one in fit["would_fit"][:PRESETS]]
    if fit["mesh"] is not None:
        columns, rows = fit["mesh"]
        would.append(f"--set mesh.columns={columns} --set mesh.rows={rows}")
    for one in (
        f"does not fit: at least {_count(fewest, 'core')} needed, {proof}, and {cores} there: {fit['missing']} too few",
        f"would fit: {'; '.join(would)}" if would else "no mesh of such cores is large enough",
        fit["figures"],
    ):
        for line in wrapped(one) if one else ():
            out.text(line)


def wrapped(text: str) -> list[str]:
    """A sentence in lines of at most 80 characters."""
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _some(names: Sequence[str], between: str = " | ") -> str:
    """As many names as two lines hold, and how many more there are."""
    shown = 0
    while shown < len(names) and len(between.join(names[: shown + 1])) <= NAMES:
        shown += 1
    shown = max(shown, 1)
    rest = f" and {len(names) - shown} more" if shown < len(names) else ""
    return between.join(names[:shown]) + rest


def _cut(text: str, length: int) -> str:
    """At most so many characters, the end kept: names of nodes differ there."""
    return text if len(text) <= length else f"..{text[len(text) - length + 2 :]}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _short(number: int) -> str:
    """A number in at most 7 characters."""
    for power, unit in ((0, ""), (6, "M"), (9, "G"), (12, "T")):
        value = number / 10**power
        if value < (1e6 if not power else 1e4):
            return f"{number:,}" if not power else f"{value:,.1f}{unit}"
    return f"{number:.1e}"


MOST_UNSIGNED = 3
"""Layers with inputs without a sign whose names are printed."""
MOST_OUTPUTS = 3
"""Outputs whose errors are printed."""


def summary_lines(summary: "Summary") -> tuple[str, ...]:
    """Size and speed of a compiled network, in words."""
    minimum, cores = summary["cores_least"], summary["cores"]
    cores_text = f"{cores} core{'' if cores == 1 else 's'}"
    if minimum is not None and minimum < cores:
        cores_text += f", of which {minimum} would do"
    bound = summary.get("cores_bound")
    if minimum is not None and bound is not None and bound < minimum:
        cores_text += f" (no fewer than {bound}, by proof)"
    size = (
        f"{summary['model']} on {summary['chip']} with {summary['device']}: {cores_text} "
        f"(schedule: {summary['schedule']}), {summary['utilisation']:.1%} of {summary['cells']:,} cells"
    )
    how = f"predicted for inputs of the calibration{_host_between(summary)}" if summary["tiles"] else (
        f"mean of the calibration, {summary['cycles_worst']:,} cycles at worst")
    latency, interval = durations(summary)
    speed = (
        f"{summary['mvms_per_image']:,} conversions an input; latency of an input {latency}, interval from input to "
        f"input {interval}; {how}"
    )
    return size, *wrapped(speed)


def _host_between(summary: "Summary") -> str:
    """What tiles wait for, that is not in a prediction."""
    between = ", ".join(dict.fromkeys(summary.get("host_between", ())))
    return f", with a host that answers at once between layers ({between})" if between else ""


def redundancy_lines(summary: "Summary") -> list[str]:
    """What noise of the cells does to outputs that are numbers, and what was spent against it."""
    redundancy = summary["redundancy"]
    if redundancy is None:
        return []
    reached, without, goal = (f"{redundancy[key]:.1%}" for key in ("reached", "without", "wanted"))
    products = sum(layer["products"] * layer["positions"] for layer in summary["layers"])
    text = f"outputs are numbers: noise of the cells makes an estimated {reached} of them (wanted: {goal})"
    cores, more = summary["cores"] - redundancy["cores"], products - redundancy["products"]
    if cores or more:
        text += f", {without} without {cores} more cores and {more:,} more products an input (--error 1)"
    return wrapped(text)


def tile_lines(summary: "Summary") -> list[str]:
    """Which tile works longest, and what programs take of memories."""
    tiles = summary["tiles"]
    if tiles is None:
        return []
    worst = next(entry for entry in tiles["tiles"] if entry["tile"] == tiles["bottleneck"])
    layers = " and ".join(worst.get("layers", []))
    tile = f"{worst['tile']} ({layers})" if layers else worst["tile"]
    return wrapped(
        f"the array of tile {tile} works longest, {worst['analog_cycles']:,.0f} cycles of the interval "
        f"({worst['utilisation']:.1%}){_taken(tiles['tiles'])}"
    )


def _taken(tiles: "Sequence[TileCycles]") -> str:
    """The most that a program takes of each memory; older files do not say it."""
    needs = [tile["takes"] for tile in tiles if "takes" in tile]
    if len(needs) < len(tiles):
        return ""
    peak = {name: max(need[name] for need in needs) for name in ("buffer", "parameters", "instructions")}
    return (f"; programs take at most {peak['buffer']:,} bytes of a buffer, {peak['parameters']:,} parameters and "
            f"{peak['instructions']:,} instructions")


def unsigned_lines(summary: "Summary") -> list[str]:
    """What it costs that inputs of layers have no sign."""
    unsigned = [layer for layer in summary["layers"] if layer["unsigned_cycles"]]
    if not unsigned:
        return []
    names = ", ".join(f"{layer['name']} at {layer['in_bits']} bits" for layer in unsigned[:MOST_UNSIGNED])
    more = f" and {len(unsigned) - MOST_UNSIGNED} more" if len(unsigned) > MOST_UNSIGNED else ""
    cycles, products = (sum(layer[key] for layer in layers) for key, layers in (
        ("unsigned_cycles", unsigned), ("cycles_mean", summary["layers"])))
    return wrapped(
        f"inputs without a sign ({names}{more}) have one magnitude plane more than signed ones of as many bits: "
        f"{cycles:,} cycles of an input, {cycles / products:.0%} of its products"
    )


def output_lines(summary: "Summary") -> list[str]:
    """How far the outputs are from the float model's over the calibration inputs: those that are furthest."""
    outputs = sorted(summary["outputs"], key=lambda output: -(output["error"] or output["classes"] or 0.0))
    text = []
    for output in outputs[:MOST_OUTPUTS]:
        said = [
            f"{_figures(output[f'classes{end}'], output[f'error{end}'])} on {where}"
            for end, where in (("", "perfect cells"), ("_aged", "those of the device"))
            if (output[f"classes{end}"], output[f"error{end}"]) != (None, None)
        ]
        text.append(f"{output['name']}: {', '.join(said)}")
    if not text:
        return []
    return wrapped(f"beside the float model, over {outputs[0]['inputs']} calibration inputs: {'; '.join(text)}")


def _figures(classes: float | None, error: float | None) -> str:
    parts = [] if classes is None else [f"{classes:.1%} of decisions differ"]
    return " and ".join([*parts, *([] if error is None else [f"error {error:.1%}"])])


def slices_text(layer: "LayerFacts") -> str:
    """Slices of a layer and what each counts more than the next, as in ``3 (x 16)``."""
    return f"{layer['slices']} (x {2 ** layer['slice_bits']})" if layer["slices"] > 1 else "1"


def print_summary(summary: "Summary", out: Output) -> None:
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


def print_spent(spent: "Sequence[Attempt]", out: Output) -> None:
    """What was tried to lower the error of the outputs, if anything."""
    rows = []
    for tried in spent:
        changes = ", ".join(f"{layer or 'cells'}: {option} {value:g}" for option, layer, value in tried.changes)
        rows.append((_cut(changes or "nothing", CHANGES), f"{tried.error:.2%}", f"{tried.uncertainty:.2%}",
                     _short(tried.conversions), tried.cores, "yes" * tried.kept))
    if rows:
        out.table(("tried", "error", "+-", "conv.", "cores", "kept"), rows)


def print_tiles(tiles: "PlannedTiles | None", out: Output) -> None:
    """What each tile would hold, or why none would."""
    if tiles is None:
        return
    if tiles["refused"] is not None:
        for line in wrapped(f"not on tiles: {tiles['refused']}"):
            out.text(line)
        return
    rows = []
    for tile in tiles["tiles"]:
        names = [*tile["layers"][:2], *["..."] * (len(tile["layers"]) > 2)]
        rows.append((tile["tile"], ", ".join(names), f"{tile['cells']:,}", tile["products"], f"{tile['cycles']:,}"))
    out.table(("tile", "layers", "cells", "products", "cycles"), rows)
