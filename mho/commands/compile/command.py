"""``mho compile``: an ONNX model to a network file."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from mho.commands.compile.summary_text import print_fit, print_plan, print_spent, print_summary, print_tiles, wrapped
from mho.macro_models.errors import InputError
from mho.terminal.console import Output
from mho.terminal.options import DEVICE, chip_option, common_options, example, named, parse_slices, read_shape
from mho.terminal.paths import READS, WORD, WRITES

if TYPE_CHECKING:
    from mho.api.net import Net


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
    from mho.api.chip import Chip
    from mho.hw.config import load_chip, warnings

    description = load_chip(chip, overrides)
    for sentence in warnings(description):
        out.warn(sentence)
    with out.progress("calibrating layers") as progress:
        net = mho.compile(model, Chip(description), calibrate=calibrate, device=device, progress=progress, **options)
    for sentence in net.summary()["warnings"]:
        out.warn(sentence)
    return net


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
    type=DEVICE,
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
    "--spend", type=float, metavar="S",
    help="Spend up to S times the conversions, and free cores, on what is measured to win most: bits, slices, copies.",
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
    model: str, chip: str, overrides: tuple[str, ...], calibrate: str | None, device: str | None, slices: str,
    spend: float | None, model_output: str | None, freeze: tuple[str, ...], input_shape: tuple[str, ...],
    dry_run: bool, output: str | None, out: Output, **others: Any,
) -> None:
    """Quantise an ONNX model after training, map it to a chip's cores and write a network file.

    Clipping of the weights and converter steps are chosen for each layer from the calibration inputs on the model of
    the device. Reports what runs where, cores, conversions, cycles, memory and work of the host, and how far outputs
    are from the float model's on the calibration inputs; a warning says where that is beyond 1.5 % of the decisions,
    or 5 % of numbers (10 % on cells of the device).

    With --dry-run the same is told without calibrating, for networks that do not fit the chip, too, and with what
    would do; the bits that calibration would choose are assumed, with the bounds.

    Where outputs are numbers (a single one, an image, or as many as the input has), or with --error, weights take more
    cells, cores and products until noise makes no larger error, by estimate.
    """
    options: dict[str, Any] = {
        **others, "slices": parse_slices(slices),
        "output": model_output, "freeze": dict(named(freeze, "--freeze")),
        "input_shape": {name: read_shape(text) for name, text in named(input_shape, "--input-shape")},
    }
    if dry_run:
        if spend is not None:
            raise InputError("--spend compiles and measures: it can't be had with --dry-run")
        _dry_run(model, chip, overrides, options, out)
        return
    for name, value in (("--calibrate X.npy", calibrate), ("-o NET.mho", output)):
        if value is None:
            raise InputError(f"{model}: {name} is needed to compile it; --dry-run says what it takes without")
    net = compile_net(model, chip, overrides, calibrate, device, out, spend=spend, **options)
    assert output is not None
    net.save(output)
    summary = net.summary()
    print_summary(summary, out)
    print_spent(net.spent, out)
    fit = net.fitting()
    print_fit(fit, out)
    avoided = net.network.calibration.cells
    if avoided is not None:
        out.text(
            f"chip of seed {avoided['seed']} with {avoided['device']}: {avoided['dead_rows']} dead rows and "
            f"{avoided['dead_columns']} dead columns unused, {_under_weights(net)} faulty cells of "
            f"{avoided['faults']} under weights"
        )
    out.note(f"wrote {output}")
    out.json({"network": str(output), "sha256": net.sha256, "summary": summary, "fit": fit, "cells": avoided,
              "spent": [asdict(attempt) for attempt in net.spent]})


def _dry_run(model: str, chip: str, overrides: tuple[str, ...], options: dict[str, Any], out: Output) -> None:
    """What a network takes, without calibrating it."""
    import mho
    from mho.api.chip import Chip
    from mho.hw.config import load_chip

    plan = mho.plan(model, Chip(load_chip(chip, overrides)), **options)
    for sentence in plan["warnings"]:
        out.warn(sentence)
    assumed, fit = plan["assumed"], plan["fit"]
    out.text(f"{plan['model']} on {plan['chip']}, not calibrated")
    print_plan(plan["plan"], out)
    (few, many), (fast, slow) = assumed["conversions"], assumed["cycles_serial"]
    for line in wrapped(
        f"assumed: inputs of {assumed['in_bits']} bits and outputs of {assumed['out_bits']} in each layer; with those "
        f"that calibration may choose it is {few:,} to {many:,} conversions and {fast:,} to {slow:,} cycles at worst"
    ):
        out.text(line)
    if plan["numbers"]:
        for line in wrapped(
            "outputs are numbers: against noise of the cells calibration may take more cores of the chip, and up to "
            f"{plan['numbers']} times the conversions (--error)"
        ):
            out.text(line)
    if not plan["copies"]:
        out.text("copies that free cells may hold are not counted")
    print_tiles(plan["tiles"], out)
    print_fit(fit, out)
    out.json(plan)


def _operators(context: click.Context, value: bool) -> None:
    """Prints the operators that a model may have."""
    if value:
        from mho.compiler.importer.operators import listed

        click.echo(listed())
        context.exit()


def _under_weights(net: "Net") -> int:
    """Known faulty cells that hold a weight, which others make up for."""
    count, cell_map = 0, net.network.chip.macro_config().cell_map
    for layer in net.network.layers:
        for product in layer.mvms:
            faulty = net.network.cores[product.core].faulty
            if faulty is not None:
                count += int(cell_map.take(faulty, product.rows, product.columns).sum())
    return count
