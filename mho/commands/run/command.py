"""``mho run``: a network on a chip, and how well it does."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from mho.commands.compile.command import compile_net
from mho.commands.compile.summary_text import summary_lines, tile_lines
from mho.commands.run.result_text import print_result
from mho.macro_models.errors import InputError
from mho.macro_models.output import npz_bytes, write_output
from mho.results import score
from mho.terminal.console import Output
from mho.terminal.options import DEVICE, backend_option, chip_option, common_options, example, named
from mho.terminal.paths import READS, WAVES, WORD, WRITES

if TYPE_CHECKING:
    from mho.api.device import Device
    from mho.api.net import Net
    from mho.compiler import Inputs
    from mho.sim.programming.instance import Cells

_MOST_CYCLES = 10**12
_OF_BACKENDS = ("port", "baud", "threads", "jobs", "waves", "waves_tiles", "trace")
"""Options that are those of a backend."""


def _names(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip()) if value else ()


@click.command(
    "run", epilog=example("mho run net.mho --input test.npz:x --labels test.npz:y --time 1d --seeds 10 --budget")
)
@click.argument("network", metavar="NET.mho|MODEL.onnx", type=READS)
@chip_option()
@click.option(
    "--calibrate", metavar="X.npy", type=READS, help="Typical inputs, with an .onnx (default: the first 128 inputs)."
)
@click.option(
    "--input", "inputs", metavar="[NAME=]X.npy", type=READS, required=True, multiple=True,
    help="Inputs in the model's units (.npy, X.npz:key); several by name, or X.npz with all.",
)
@click.option("--labels", metavar="Y.npy", type=READS, help="Class of each input, for the accuracy (.npy, X.npz:key).")
@click.option(
    "-o", "--output", metavar="OUT.npy", type=WRITES,
    help="Write the output, in onnxruntime's shape; OUT.npz: all outputs by name.",
)
@click.option("--score", metavar="NAME", type=WORD, help="Which output is scored (default: the first of classes).")
@backend_option()
@click.option("--cells", metavar="CELLS.npz", type=READS, help="Run on exactly these cells, which mho program wrote.")
@click.option(
    "--device", metavar="DEVICE", type=DEVICE, help="Device of the cells (default: that of --cells, or the network's)."
)
@click.option(
    "--time", default="1d", show_default=True, metavar="T", type=WORD,
    help="Time since programming, in s, m, h, d or y.",
)
@click.option(
    "--temp", type=float, default=25.0, show_default=True, metavar="C", help="Temperature, in degrees Celsius."
)
@click.option(
    "--cycles", type=int, metavar="N", help="How often the cells were switched before (default: as those of the data)."
)
@click.option(
    "--compensation", metavar="HOW", type=WORD,
    help="Against drift, by the chip itself: none, global, column, affine (default: the most that its cores can).",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Which chip.")
@click.option("--seeds", type=int, metavar="N", help="N chips from --seed on: mean, deviation and each value.")
@click.option("--without", callback=_names, metavar="CAUSE,..", type=WORD, help="Causes of non-ideality to leave out.")
@click.option("--only", callback=_names, metavar="CAUSE,..", type=WORD, help="Causes of non-ideality to keep.")
@click.option("--budget", is_flag=True, help="Float, ideal, each cause: its loss alone and its share; all; each layer.")
@click.option(
    "--device-draws", type=int, metavar="N",
    help="Devices drawn from the errors of a fitted one, for the uncertainty (default with --seeds: 20).",
)
@click.option("--limit", type=int, metavar="N", help="Take the first N inputs only.")
@click.option(
    "--threads", type=int, metavar="N",
    help="Threads that share the images (functional) or the tiles of a chip (cosim); default: 1.",
)
@click.option(
    "--jobs", type=int, metavar="N",
    help="Processes that share the seeds (functional; default: 1).",
)
@click.option("--waves", metavar="F.fst", type=WAVES, help="Write the waveforms, with --backend cosim.")
@click.option(
    "--waves-tiles", metavar="C,R", multiple=True, type=WORD, callback=lambda _context, _option, tiles: tiles or None,
    help="Tile whose waves are written (repeatable; default: all), with --waves on tiles.",
)
@click.option(
    "--trace", is_flag=True, flag_value=True, default=None,
    help="Note what the tiles do, for mho report, with --backend cosim on tiles.",
)
@common_options
def run_command(
    network: str, chip: str | None, overrides: tuple[str, ...], calibrate: str | None, inputs: tuple[str, ...],
    labels: str | None, output: str | None, cells: str | None, device: str | None, cycles: int | None, budget: bool,
    out: Output, **options: Any,
) -> None:
    """Run a network on a chip with its devices, and say how well it does.

    With --labels the score is the accuracy; without, how far the outputs agree with the float model's. Causes are
    programming, relaxation, read-noise, wire, adc, stuck, sensor. Of several outputs one is scored.
    """
    from mho.api.device import Device
    from mho.runs.backends import backend_of
    from mho.runs.job import pass_bytes
    from mho.runs.running import check_options
    from mho.workers import processes_text

    backend_options = {name: options.pop(name) for name in _OF_BACKENDS}
    backend = options["backend"] = backend_of(options["backend"], backend_options)
    check_options(**{name: value for name, value in options.items() if name not in ("score", "compensation")})
    model = Device.load(device) if device is not None else None
    chip_cells = None if cells is None else _read_cells(cells, network)
    x = _read_inputs(inputs)
    truth = _read_labels(labels, len(x), options["limit"])
    net = _open(network, chip, overrides, calibrate, x, device, options["compensation"], out)
    _check_before(net, x, truth, output, options["score"])
    if cycles is not None:
        model = _worn(model or net.device, cycles, cells, out)
    if backend.processes > 1 and (options["seeds"] or 1) > 1:
        images = min(len(x), options["limit"] or len(x))
        out.note(processes_text(min(backend.processes, options["seeds"]), pass_bytes(net.network, images)))
    with out.progress(f"running on {backend.name}") as progress:
        reports = {"progress": progress, "loading": progress, "note": out.warn}
        result = net.run(x, cells=chip_cells, device=model, keep_codes=False, **reports, **options)
    for kind in ("versions", "hashes"):
        out.detail(f"{kind}: " + ", ".join(f"{k} {v}" for k, v in result.provenance[kind].items()))
    for sentence in result.warnings:
        out.warn(sentence)
    if budget:
        with out.progress("error budget") as progress:
            result.compute_budget(progress)
    if output is not None:
        write_output(output, _written(result.by_name, output))
    print_result(result, truth, budget, out)
    if output is not None:
        out.note(f"wrote {output}")
    command = {
        "network": network,
        "cells": cells,
        "input": inputs[0] if len(inputs) == 1 else list(inputs),
        "labels": labels,
        "calibrate": calibrate,
        "waves": backend_options["waves"],
        "port": backend_options["port"],
        **({} if cycles is None else {"cycles": cycles}),
    }
    out.json({"command": command, **result.to_dict(truth, budget=budget)})


def _worn(device: "Device", cycles: int, cells: str | None, out: Output) -> "Device":
    """The device of cells that were switched so often."""
    from mho.api.device import Device
    from mho.macro_models.devices.resampled import cycled

    if not 0 <= cycles <= _MOST_CYCLES:
        raise InputError(f"--cycles must be from 0 to 1e12, not {cycles}")
    if cells is not None:
        raise InputError(f"--cycles is of cells that are drawn: {cells} holds cells as they are")
    worn, doubts = cycled(device.model, cycles)
    for sentence in doubts:
        out.warn(sentence)
    return Device(worn)


def _open(
    network: str,
    chip: str | None,
    overrides: tuple[str, ...],
    calibrate: str | None,
    x: "Inputs",
    device: str | None,
    compensation: str | None,
    out: Output,
) -> "Net":
    """The network, compiled on the way where an ONNX model was given."""
    from mho.api.compile import load
    from mho.compiler import FIRST_INPUTS

    if network.endswith(".s"):
        raise InputError(f"{network}: a program of a tile is run by mho tiles")
    if not network.endswith(".onnx"):
        of_compiler = (("--chip", chip), ("--set", overrides), ("--calibrate", calibrate))
        for name, value in of_compiler:
            if value:
                raise InputError(
                    f"{network}: {name} is for an .onnx model; a network file holds its chip and calibration"
                )
        return load(network)
    if chip is None:
        raise InputError(f"{network}: an .onnx model needs --chip, a preset or a chip file")
    if calibrate is None:
        out.note(f"calibrating on the first {min(FIRST_INPUTS, len(x))} inputs, since --calibrate is not given")
    from mho.hw.config import load_chip
    from mho.macro_models.kinds import family

    # Before all that takes time.
    family(load_chip(chip, overrides).core.kind).compensation(compensation)
    net = compile_net(network, chip, overrides, x[:FIRST_INPUTS] if calibrate is None else calibrate, device, out)
    summary = net.summary()
    for line in (*summary_lines(summary), *tile_lines(summary)):
        out.detail(line)
    return net


def _read_cells(cells: str, network: str) -> "Cells":
    from mho.api.inputs import read_cells

    if network.endswith(".onnx"):
        raise InputError(f"{cells}: cells are those of one network file, not of an .onnx model")
    return read_cells(cells)


def _read_inputs(sources: tuple[str, ...]) -> "Inputs":
    """Inputs: one file, or several as NAME=FILE."""
    from mho.compiler import load_inputs

    if len(sources) == 1 and ("=" not in sources[0] or Path(sources[0].partition(".npz:")[0]).exists()):
        return load_inputs(sources[0])
    pairs = named(sources, "--input")
    if len(dict(pairs)) < len(pairs):
        raise InputError(f"--input must name each input once, not {', '.join(name for name, _ in pairs)}")
    return load_inputs(dict(pairs))


def _check_before(
    net: "Net", x: "Inputs", truth: "NDArray[np.int64] | None", output: str | None, scored: str | None
) -> None:
    """Refuses labels, a choice of an output or a file that do not fit, before the work begins."""
    names = [value.name for value in net.network.model.outputs]
    if output is not None and len(names) > 1 and Path(output).suffix != ".npz":
        raise InputError(
            f"{output}: the network has {len(names)} outputs; write an .npz, which holds {', '.join(names)} by name"
        )
    if truth is None and scored is None:
        return
    from mho.compiler.job import check_shape

    references = net.network.model.compute_all(check_shape(x, net.network.model))
    chosen = score.choose(references, scored)
    if truth is not None:
        score.accuracy(references[chosen][: len(truth)], truth)


def _read_labels(source: str | None, images: int, limit: int | None) -> NDArray[np.int64] | None:
    """Labels as a vector of integers, as many as images are run."""
    if source is None:
        return None
    from mho.compiler import load_input

    values = load_input(source)
    if values.ndim != 1 or (values != np.rint(values)).any():
        raise InputError(f"{source}: labels must be a vector of whole numbers, not shape {list(values.shape)}")
    if len(values) != images:
        raise InputError(f"{source}: labels must be as many as the inputs, {images}, not {len(values)}")
    return values.astype(np.int64)[:limit]


def _written(outputs: dict[str, NDArray[np.generic]], path: str) -> bytes:
    """What a file of outputs holds: the one as .npy, or all by name."""
    if Path(path).suffix == ".npz":
        return npz_bytes(outputs)
    buffer = io.BytesIO()
    np.save(buffer, next(iter(outputs.values())), allow_pickle=False)
    return buffer.getvalue()
