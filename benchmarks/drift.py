"""Accuracy without compensation of drift, beside a float network whose weights drift by the device's own law.

    python benchmarks/drift.py [digits|fashion14|fashion14_cnn|fashion14_resnet8 ...] [--chip hermes] [--device D]
        [--seeds 3] [--images 500] [--times 0s 1h 1d 30d]

In the float network each weight is what the cells of the chip hold of it, all of its copies on the same chips, and
everything else, biases among it, is exact. What a chip loses beyond that network is lost by its codes and converters,
not by the cells. With ``--copies 1`` a weight has one cell, which drifts more than one of many that are full or empty.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mho
from mho.compiler import FloatNetwork
from mho.compiler.model.layer import LinearLayer
from mho.compiler.model.stages import Linear
from mho.compiler.network import Network
from mho.compiler.program import DITHER, Layer, Mvm
from mho.data import SAMPLES, load_sample
from mho.macro_models import CAUSES
from mho.macro_models.cells.programming import programmed
from mho.units import parse_time

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "models"


def drifted(network: Network, time_s: float, seed: int) -> FloatNetwork:
    """The network with weights that its cells hold ``time_s`` seconds after they were programmed, on one chip."""
    cell_map = network.chip.macro_config().cell_map
    cells = [np.asarray(core.targets_uS, dtype=np.float64) for core in network.cores]
    aged = [
        programmed(some, device=network.device, seed=seed, core=k, time_s=time_s, causes=frozenset(CAUSES)).g_uS
        for k, some in enumerate(cells)
    ]
    layers: dict[int, LinearLayer] = {}
    for linear, layer in zip(network.model.layers, network.program.layers, strict=True):
        weight = linear.weight.copy()
        for mvm in layer.mvms:
            kept, left = (_of_inputs(layer, mvm, cell_map.join(cell_map.take(g[mvm.core], mvm.rows, mvm.columns)))
                          for g in (cells, aged))
            # What a unit of conductance stands for: a product takes a part of the inputs.
            part = kept.any(axis=0)
            unit = (linear.weight * kept)[:, part].sum(axis=1) / np.maximum((kept**2).sum(axis=1), 1e-30)
            weight += unit[:, None] * (left - kept)
        layers[id(linear)] = replace(linear, weight=weight)
    steps = [
        replace(s, operation=replace(s.operation, layer=layers[id(s.operation.layer)]))
        if isinstance(s.operation, Linear) else s for s in network.model.steps
    ]
    return replace(network.model, steps=tuple(steps))


def _of_inputs(layer: Layer, mvm: Mvm, cells: NDArray[Any]) -> NDArray[np.float64]:
    """Sums of what the cells of a product hold, (rows, columns), as weights of the layer: (outputs, inputs)."""
    held, taken = np.zeros((layer.outputs, layer.inputs)), mvm.taken(layer.spread)
    rows = np.flatnonzero(taken != DITHER)
    np.add.at(held, (mvm.outputs[:, None], taken[rows]), (cells * mvm.multiplier)[rows].T)
    return held


def data(name: str) -> tuple[Path, NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """Model, test images, their classes, and images for calibration."""
    if name in SAMPLES:
        sample = load_sample(name)
        return sample.model, sample.x, sample.y, sample.calibrate
    sample, shape = load_sample("fashion14"), (-1, 14, 14)
    return EXAMPLES / f"{name}.onnx", sample.x.reshape(shape), sample.y, sample.calibrate.reshape(shape)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("networks", nargs="*", default=["digits", "fashion14", "fashion14_cnn", "fashion14_resnet8"])
    parser.add_argument("--chip", default="hermes")
    parser.add_argument("--device")
    parser.add_argument("--compensation", default="none")
    parser.add_argument("--copies", type=int)
    parser.add_argument("--set", action="append", default=[], help="a key of the chip, KEY=NUMBER")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--times", nargs="+", default=["0s", "1h", "1d", "30d"])
    args = parser.parse_args()
    pairs = [pair.split("=") for pair in args.set]
    overrides: dict[str, Any] = {key: float(value) if "." in value else int(value) for key, value in pairs}
    overrides |= {} if args.device is None else {"device": args.device}
    chip = mho.Chip.load(args.chip, **overrides)
    print(f"{'network':<20}{'float':>7}  " + "".join(f"{time:>18}" for time in args.times) + "  drifted float: chip")
    for name in args.networks:
        model, x, y, calibrate = data(name)
        x, y = x[: args.images], y[: args.images]
        net = mho.compile(model, chip, calibrate=calibrate, copies=args.copies)
        network = net.network
        columns = []
        for time in args.times:
            chips = [drifted(network, parse_time(time), seed) for seed in range(args.seeds)]
            floats = [100 * float((_labels(one.compute(x)) == y).mean()) for one in chips]
            result = net.run(x, time=time, seeds=args.seeds, compensation=args.compensation)
            made = 100 * np.mean([float((_labels(one) == y).mean()) for one in result.outputs])
            columns.append(f"{np.mean(floats):>8.1f}:{made:<9.1f}")
        exact = 100 * float((_labels(network.model.compute(x)) == y).mean())
        print(f"{name:<20}{exact:>7.1f}  " + "".join(columns), flush=True)


def _labels(outputs: NDArray[Any]) -> NDArray[Any]:
    return outputs.argmax(axis=1) if outputs.ndim == 2 else outputs


if __name__ == "__main__":
    main()
