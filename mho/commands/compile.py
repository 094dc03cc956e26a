"""``mho compile``: an ONNX model to a network file."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from macro_models.errors import InputError
from mho.commands.plan_text import print_fit, print_plan, wrapped
from mho.terminal.console import Output
from mho.terminal.options import chip_option, common_options, example
from mho.terminal.paths import READS, WORD, WRITES

if TYPE_CHECKING:
    from mho.api.net import Net

__all__ = ["compile_command", "compile_net", "named", "print_summary", "summary_lines", "tile_lines"]

MOST_OUTPUTS = 3
"""Outputs whose errors are printed."""


@click.command("compile", epilog=example("mho compile model.onnx --chip neurram-core --calibrate train.npy -o net.mho"))
@click.argument("model", metavar="MODEL.onnx", type=READS)
@chip_option(required=True)
@click.option(
    "--calibrate", metavar="X.npy", type=READS,
    help="Typical inputs in the model's units (.npy, X.npz:key; X.npz of all inputs by name); not with --dry-run.",
)
@click.option(
    "--device",
    metavar="DEVICE",
    type=READS,
    help="Device whose model the calibration uses (default: that of --cells, or the chip's).",
)
@click.option(
    "--slices",
    metavar="N|LAYER=N,...",
    type=WORD,
    default="none",
    show_default=True,
    help="Pairs of cells of a weight, 1 to 4: of all layers, or of layers by their names in the report.",
)
@click.option(
    "--copies", type=int, metavar="N",
    help="Columns of an output, and rows of an input on average, at most, 1 to 16 (default: 16; on tiles "
    "columns alone, 4 where cells are noisy, else 1).",
)
@click.option(
    "--duplicates", type=int, metavar="N", default=1, show_default=True,
    help="Tiles that may compute rows of one layer in turn, or whole images where it has no rows, 1 to 7: more images "
    "a second where tiles are free.",
)
@click.option(
    "--in-parts", type=int, metavar="N",
    help="Parts in which layers take their inputs, 1 or 2: with 2 each is called twice (default: 2 in small networks "
    "whose answers would not be right with 1).",
)
@click.option(
    "--tolerance", type=float, metavar="T",
    help="What rounding the inputs of a layer may change, 0 to 1: decisions of a classifier, else outputs.",
)
@click.option(
    "--error", type=float, metavar="E",
    help="Error of the outputs by noise of the cells above which weights take more cells, 0.001 to 1: none "
    "(default: 0.06 for outputs that are numbers, else 1).",
)
@click.option(
    "--cells", metavar="CELLS.npz", type=READS, help="Cells of one chip: avoid its dead lines and faulty cells."
)
@click.option("--model-output", metavar="NAME", type=WORD, help="Compute this output alone, of a model with several.")
@click.option(
    "--freeze", metavar="NAME=FILE.npy", type=WORD, multiple=True,
    help="Make an input of the model a constant (repeatable).",
)
@click.option(
    "--input-shape", metavar="NAME=N,...", type=WORD, multiple=True,
    help="Whole shape of an input, 0 for the batch, where the model leaves it open (repeatable).",
)
@click.option(
    "--operators", is_flag=True, is_eager=True, expose_value=False, callback=lambda c, p, v: _operators(c, v),
    help="Print the operators that a model may have, and stop.",
)
@click.option("--dry-run", is_flag=True, help="Say what the network takes, without calibrating it; write nothing.")
@click.option(
    "-o", "--output", metavar="NET.mho", type=WRITES, help="Network file to write; needed without --dry-run."
)
@common_options
def compile_command(
    model: str,
    chip: str,
    overrides: tuple[str, ...],
    calibrate: str | None,
    device: str | None,
    slices: str,
    copies: int | None,
    duplicates: int,
    in_parts: int | None,
    tolerance: float | None,
    error: float | None,
    cells: str | None,
    model_output: str | None,
    freeze: tuple[str, ...],
    input_shape: tuple[str, ...],
    dry_run: bool,
    output: str | None,
    out: Output,
) -> None:
    """Quantise an ONNX model after training, map it to a chip's cores and write a network file.

    Clipping of the weights and converter steps are chosen for each layer from the calibration inputs on the model of
    the device. Reports what runs where, cores, conversions, cycles, memory and work of the host, and how far outputs
    are from the float model's on the calibration inputs; a warning says where that is beyond 1.5 % of the decisions,
    or 5 % of numbers (10 % on cells of the device).

    With --dry-run the same is told without calibrating, for networks that do not fit the chip, too, and with what
    would do; the bits that calibration would choose are assumed, with the bounds.

    With --slices a weight is divided over several pairs of cells, which are converted separately and added digitally,
    each counting a power of two more than the next; the power is chosen on the model of the device.

    Where outputs are numbers (a single one, an image, or as many as the input has), or with --error, weights take more
    cells, cores and products until noise of the cells makes no larger error, by estimate; the report says the cost.

    With --cells, which mho program wrote, the network is for that one chip: dead lines are left unused, lines with few
    faulty cells are taken first, and other cells make up for what a faulty one cannot hold.
    """
    options: dict[str, Any] = {
        "slices": parse_slices(slices), "copies": copies, "duplicates": duplicates, "in_parts": in_parts,
        "tolerance": tolerance, "error": error,
        "cells": cells,
        "output": model_output, "freeze": dict(named(freeze, "--freeze")),
        "input_shape": {name: _shape(text) for name, text in named(input_shape, "--input-shape")},
    }
    if dry_run:
        _dry_run(model, chip, overrides, options, out)
        return
    for name, value in (("--calibrate X.npy", calibrate), ("-o NET.mho", output)):
        if value is None:
            raise InputError(f"{model}: {name} is needed to compile it; --dry-run says what it takes without")
    net = compile_net(model, chip, overrides, calibrate, device, out, **options)
    assert output is not None
    net.save(output)
    summary = net.summary()
    print_summary(summary, out)
    fit = net.fitting()
    print_fit(fit, out)
    avoided = net.network.calibration.get("cells")
    if avoided is not None:
        out.text(
            f"chip of seed {avoided['seed']} with {avoided['device']}: {avoided['dead_rows']} dead rows and "
            f"{avoided['dead_columns']} dead columns unused, {_under_weights(net)} faulty cells of "
            f"{avoided['faults']} under weights"
        )
    out.note(f"wrote {output}")
    out.json({"network": str(output), "sha256": net.sha256, "summary": summary, "fit": fit, "cells": avoided})


def _dry_run(model: str, chip: str, overrides: tuple[str, ...], options: dict[str, Any], out: Output) -> None:
    """What a network takes, without calibrating it."""
    import mho
    from hw.config import load_chip
    from mho.api.chip import Chip

    told = mho.plan(model, Chip(load_chip(chip, overrides)), **options)
    for sentence in told["warnings"]:
        out.warn(sentence)
    assumed, fit = told["assumed"], told["fit"]
    out.text(f"{told['model']} on {told['chip']}, not calibrated")
    print_plan(told["plan"], out)
    (few, many), (fast, slow) = assumed["conversions"], assumed["cycles_serial"]
    for line in wrapped(
        f"assumed: inputs of {assumed['in_bits']} bits and outputs of {assumed['out_bits']} in each layer; with those "
        f"that calibration may choose it is {few:,} to {many:,} conversions and {fast:,} to {slow:,} cycles at worst"
    ):
        out.text(line)
    if told["numbers"]:
        for line in wrapped(
            "outputs are numbers: against noise of the cells calibration may take more cores of the chip, and up to "
            f"{told['numbers']} times the conversions (--error)"
        ):
            out.text(line)
    if not told["copies"]:
        out.text("copies that free cells may hold are not counted")
    _print_tiles(told["tiles"], out)
    print_fit(fit, out)
    out.json(told)


def _print_tiles(told: dict[str, Any] | None, out: Output) -> None:
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


def _operators(context: click.Context, wanted: bool) -> None:
    """Prints the operators that a model may have."""
    if wanted:
        from compiler.importer.operators import listed

        click.echo(listed())
        context.exit()


def named(values: tuple[str, ...], option: str) -> list[tuple[str, str]]:
    """Pairs of NAME=VALUE.

    Raises
    ------
    InputError
        If one has no name or no value.
    """
    pairs = [(name, value) for name, _, value in (one.partition("=") for one in values)]
    for (name, value), text in zip(pairs, values, strict=True):
        if not name or not value:
            raise InputError(f"{option} must be NAME=VALUE, not {text!r}")
    return pairs


def _shape(text: str) -> list[int]:
    """Whole numbers with commas between.

    Raises
    ------
    InputError
        If they are none.
    """
    if not all(part.isdecimal() and len(part) < 10 for part in text.split(",")):
        raise InputError(f"--input-shape must be NAME=N,... with whole numbers, 0 for the batch, not {text!r}")
    return [int(part) for part in text.split(",")]


def _under_weights(net: "Net") -> int:
    """Known faulty cells that hold a weight, which others make up for."""
    count, cell_map = 0, net.network.chip.macro_config().cell_map
    for layer in net.network.layers:
        for product in layer.mvms:
            faulty = net.network.cores[product.core].faulty
            if faulty is not None:
                count += int(cell_map.take(faulty, product.rows, product.columns).sum())
    return count


def compile_net(
    model: str,
    chip: str,
    overrides: tuple[str, ...],
    calibrate: Any,
    device: str | None,
    out: Output,
    **options: Any,
) -> "Net":
    """Compile with a progress bar; shared with ``mho run``. ``options`` are those of :func:`mho.compile`."""
    import mho
    from hw.config import load_chip, warnings
    from mho.api.chip import Chip

    description = load_chip(chip, overrides)
    for sentence in warnings(description):
        out.warn(sentence)
    with out.progress("calibrating layers") as progress:
        net = mho.compile(model, Chip(description), calibrate=calibrate, device=device, progress=progress, **options)
    for sentence in net.summary()["warnings"]:
        out.warn(sentence)
    return net


def parse_slices(text: str) -> int | dict[str, int] | None:
    """``none``, a number for all layers, or ``LAYER=N,...``.

    Raises
    ------
    InputError
        If it is none of those. The compiler checks the numbers and the names.
    """
    if text == "none":
        return None
    try:
        if "=" not in text:
            return int(text)
        pairs = [(name, int(count)) for name, count in (part.rsplit("=", 1) for part in text.split(","))]
    except ValueError:
        raise InputError(f"--slices must be none, a number or LAYER=N,..., not {text!r}") from None
    if len(dict(pairs)) < len(pairs):
        raise InputError(f"--slices must name each layer once, not {text!r}")
    return dict(pairs)


def summary_lines(summary: dict[str, Any]) -> tuple[str, str]:
    """Size and speed of a compiled network, in words."""
    mean, worst = summary["cycles_mean"], summary["cycles_worst"]
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
    speed = (
        f"{summary['mvms_per_image']} MVMs an image; cycles: {mean:,.0f} in the mean of the calibration "
        f"({summary['microseconds_mean']:.2f} us), {worst:,} at worst"
    )
    return size, speed


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
        text += f", {without} without {cores} more cores and {more:,} more products an image (--error 1)"
    return wrapped(text)


def tile_lines(summary: dict[str, Any]) -> list[str]:
    """How long an image takes on tiles, as predicted."""
    told = summary["tiles"]
    if told is None:
        return []
    worst = next(one for one in told["tiles"] if one["tile"] == told["bottleneck"])
    layers = " and ".join(worst.get("layers", []))
    tile = f"{worst['tile']} ({layers})" if layers else worst["tile"]
    between = summary.get("host_between", [])
    told_host = f"between layers on tiles the host does {', '.join(dict.fromkeys(between))}, taken to answer at once"
    return wrapped(
        f"on tiles, predicted: {told['first']:,} cycles for the first image, {told['each']:,.0f} for each further one "
        f"({told['each'] / told['f_clk_MHz']:.2f} us); the array of tile {tile} works longest, "
        f"{worst['analog_cycles']:,.0f} of them ({worst['utilisation']:.1%}){_taken(told['tiles'])}"
    ) + (wrapped(told_host) if between else [])


def _taken(tiles: Sequence[dict[str, Any]]) -> str:
    """The most that a program takes of each memory; older files do not say it."""
    if any("takes" not in one for one in tiles):
        return ""
    most = {name: max(one["takes"][name] for one in tiles) for name in ("buffer", "parameters", "instructions")}
    return (f"; programs take at most {most['buffer']:,} bytes of a buffer, {most['parameters']:,} parameters and "
            f"{most['instructions']:,} instructions")


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
    for line in (*summary_lines(summary), *tile_lines(summary), *redundancy_lines(summary), *output_lines(summary)):
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
