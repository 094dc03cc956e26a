"""Accuracy without compensation of drift, beside a float network whose weights drift by the device's own law.

    python benchmarks/drift.py [digits|fashion14|fashion14_cnn|fashion14_resnet8 ...] [--chip hermes] [--device D]
        [--seeds 3] [--images 500] [--times 0s 1h 1d 30d]

In the float network each weight is what its devices hold of it: the largest of an output takes all of them, they are
programmed and drift as those of the chip do, and everything else, biases among it, is exact. What a chip loses beyond
that network is lost by its codes, its converters and the compiler, not by the cells.
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
from mho.data import SAMPLES, load_sample
from mho.hw.config import Chip
from mho.macro_models import CAUSES
from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import Device
from mho.units import parse_time

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "models"


def drifted(network: FloatNetwork, chip: Chip, device: Device, time_s: float, seed: int) -> FloatNetwork:
    """The network with weights that cells hold ``time_s`` seconds after they were programmed."""
    cell_map, low, high = chip.macro_config().cell_map, chip.cells.g_min_uS, chip.cells.g_max_uS
    layers: dict[int, LinearLayer] = {}
    for number, layer in enumerate(network.layers):
        unit = np.maximum(np.abs(layer.weight).max(axis=1, keepdims=True), 1e-30) / cell_map.top(low, high)
        cells = np.asarray(cell_map.split(layer.weight / unit, low, high), dtype=np.float64)
        drawn = programmed(cells, device=device, seed=seed, core=number, time_s=time_s, causes=frozenset(CAUSES))
        layers[id(layer)] = replace(layer, weight=cell_map.join(drawn.g_uS) * unit)
    steps = [
        replace(s, operation=replace(s.operation, layer=layers[id(s.operation.layer)]))
        if isinstance(s.operation, Linear) else s for s in network.steps
    ]
    return replace(network, steps=tuple(steps))


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
        net = mho.compile(model, chip, calibrate=calibrate)
        network = net.network
        columns = []
        for time in args.times:
            chips = [
                drifted(network.model, network.chip, network.device, parse_time(time), seed)
                for seed in range(args.seeds)
            ]
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
