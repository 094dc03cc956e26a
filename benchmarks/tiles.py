"""Networks on the tiles of a chip in co-simulation: ``python benchmarks/tiles.py [--images 50]``.

``--only cnn`` and ``--only resnet8 --images 4 --duplicates 4 --device rram-neurram`` are for the networks of
``examples/models`` on ``neurram``, whose simulator takes minutes to build (``resnet8-28`` has images of 28 x 28);
``--only chain`` has 48 layers of 120 x 120 one behind the other, so that all of its cores are at work.

Three networks run on ``tnsa64-2x2`` from the host port alone, on ideal and on noisy cells: a perceptron on 8x8 digits,
one on Fashion-MNIST (11 x 11 pixels, trained here on 2,000 images) that is cut over four tiles with reduction and
multicast, and convolutions with pooling and a residual block. The host gets every value; all lanes are held against the
functional backend. Printed are cycles of the chip to the first result and from image to image while others follow,
analog cycles of an image in the array that works longest and how much longer images take, how far the predicted end of
the last image is off, products a second of wall time, and what the simulator takes for a tile and a cycle, the models
of the arrays, the host and Python included.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from examples.models.train import Recipe, fit, perceptron, spread, to_onnx
from mho.compiler import CompileOptions, Network
from mho.compiler.passes import compile_tiles
from mho.compiler.tile import tile_code, tile_programs, with_programs
from mho.compiler.tile.cycles import tile_cycles
from mho.data import load_sample
from mho.hw.config import load_chip
from mho.sim.account import RunAccount
from mho.sim.executor import build_cores, core_masks
from mho.sim.tile_networks.backend import TileCosimBackend
from tests.compiler.tile.interpreted import values_of
from tests.compiler.tile.network_bench import residual_network

DAY, DEVICES = 86_400.0, ("ideal", "rram-neurram")
DATA = Path(__file__).resolve().parents[1] / "examples" / "data" / "fashion_mnist14.npz"


@dataclass(frozen=True)
class Job:
    """A model, what it is calibrated with, and images."""

    model: Any
    calibrate: NDArray[Any]
    x: NDArray[Any]
    chip: str = "tnsa64-2x2"


def digits() -> Job:
    """48 hidden, shipped with the package."""
    sample = load_sample("digits")
    return Job(sample.model, sample.calibrate, sample.x)


def fashion() -> Job:
    """121 inputs, so that the hidden layer takes the rows of four tiles."""
    with np.load(DATA, allow_pickle=False) as data:
        x, y = data["x_train"][:, 1:12, 1:12], data["y_train"].astype(np.int64)
        test = data["x_test"][:, 1:12, 1:12].astype("f4")
    recipe = Recipe(net=lambda: perceptron(121, 48, 10), data=lambda: (x, y, test, y), scale=255.0, epochs=12)
    return Job(to_onnx(fit(recipe.net(), x, y, recipe), x, 255.0), x[:64].astype("f4"), test)


def residual() -> Job:
    """Convolution, pooling, two convolutions with a skip, pooling, a dense layer: weights and images at random."""
    model, x = residual_network(1, channels=8)
    return Job(model, x, np.concatenate([x, 1 - x]))


def example(name: str, pixels: int = 14) -> Job:
    """A network of ``examples/models`` for images of so many pixels a side on the large chip."""
    with np.load(DATA.with_name(f"fashion_mnist{pixels}.npz"), allow_pickle=False) as data:
        calibrate, test = (data[key].astype("f4") for key in ("x_train", "x_test"))
    return Job((DATA.parents[1] / "models" / name).read_bytes(), calibrate[:64], test, "neurram")


def chain() -> Job:
    """As many layers as the chip has cores: weights and inputs at random."""
    rng, cores, width = np.random.default_rng(0), load_chip("neurram").cores, 120
    x = rng.uniform(size=(1000, width)).astype("f4")
    return Job(to_onnx(spread(perceptron(*[width] * (cores + 1))), x), x[:64], x, "neurram")


JOBS = {"digits": digits, "fashion": fashion, "residual": residual}
LARGE = {"cnn": lambda: example("fashion14_cnn.onnx"), "resnet8": lambda: example("fashion14_resnet8.onnx"),
         "resnet8-28": lambda: example("fashion28_resnet8_noise.onnx", 28), "chain": chain}


def run(
    name: str, images: int, device: str, backend: TileCosimBackend, *, watched: bool, duplicates: int = 1,
    side: int | None = None, overrides: Sequence[str] = (),
) -> Network:
    """Run, compare, and print a row; ``watched``: the host gets all values; a mesh of ``side`` columns and rows."""
    job = (JOBS | LARGE)[name]()
    options = CompileOptions(seeds=1, samples=32, duplicates=duplicates)
    mesh = () if side is None else (f"mesh.columns={side}", f"mesh.rows={side}")
    chip = load_chip(job.chip, (*mesh, *overrides))
    network = compile_tiles(job.model, chip, calibrate=job.calibrate, options=options)
    network = with_programs(network, job.calibrate).network
    programs = tile_programs(network, watched=watched)
    x = job.x[:images].reshape(images, -1)
    models, masks = build_cores(network, device=device, seed=3, time_s=DAY), core_masks(network)
    program, rows = network.program, network.chip.macro_config().cell_map.rows
    lanes, numbers = program.input.compute(x), np.arange(images, dtype=np.uint64)
    account = RunAccount(program, images, images, network.chip, masks)
    account.begin(0, x)
    backend.open_code(network.chip, tile_code(programs), models)
    begun = time.perf_counter()
    values = backend.run_values(program, masks, lanes, numbers, account)

    def product(call: Any, mvm: Any, codes: NDArray[np.int16], op_id: NDArray[np.uint64]) -> NDArray[np.int16]:
        return models[mvm.core].mvm(mvm.op, masks[mvm.core], mvm.vector(codes, rows), op_id).codes[:, mvm.columns]

    spent = time.perf_counter() - begun
    expected = values_of(program, lanes, numbers, product)
    predicted = tile_cycles(replace(network, tiles=tile_code(programs)), models, masks, lanes, numbers)
    equal = sum(np.array_equal(one, expected[value]) for value, one in values.items())
    result = backend.result
    assert result is not None
    cycles, tiles = result.progress["cycles"], len(result.ops)
    split = sum(len(one.members) > 1 for one in programs.placed.reductions.values())
    cast = sum(len(flow.to) > 1 for flow in programs.joined.flows)
    cast += 0 if backend.plan is None else sum(one.members > 1 for one in backend.plan.sources)
    begin, end = predicted.counted
    first, rest, total = account.cycles[0], account.cycles[1 + begin : 1 + end], account.cycles.sum()
    busy = max(predicted.analog.values())
    print(f"{name:9} {device:13} {images:4} {len(programs.texts):5} {split:4} {cast:5} {equal:3} of {len(values):2}"
          f" {first:8,} {rest.mean():8,.0f} {busy:8,.0f} {rest.mean() / busy - 1:6.1%}"
          f" {predicted.ends[-1] / total - 1:6.2%}"
          f" {program.conversions * images / spent:7,.0f} {cycles:9,} {1e9 * spent / cycles / tiles:6,.0f}")
    if equal < len(values):
        raise SystemExit("lanes differ")
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--only", choices=[*JOBS, *LARGE], help="this network alone")
    parser.add_argument("--device", choices=DEVICES, help="this device alone")
    parser.add_argument("--last", action="store_true", help="the host gets the last value alone")
    parser.add_argument("--duplicates", type=int, default=1, help="as of the compiler")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the chip (repeatable)")
    parser.add_argument("--side", type=int, help="columns and rows of the mesh (default: those of the chip)")
    parser.add_argument("--threads", type=int, default=1, help="threads that share the tiles")
    options = parser.parse_args()
    backend = TileCosimBackend(threads=options.threads)
    print("network   device        images tiles sums casts  equal    first     each   analog   over  told  MVM/s"
          "    cycles  ns/tile/cycle")
    for name in JOBS if options.only is None else [options.only]:
        for device in DEVICES if options.device is None else [options.device]:
            watched = not options.last and name in JOBS
            run(name, options.images, device, backend, watched=watched, duplicates=options.duplicates,
                side=options.side, overrides=options.set)
    backend.close()


if __name__ == "__main__":
    main()
