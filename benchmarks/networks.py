"""Speed of networks: CPU-seconds for 1,000 images of the backend `functional`, beside a plain GEMM of the same MACs.

    python benchmarks/networks.py [--images 500] [--threads 2] [--json FILE]
    python benchmarks/networks.py --compile resnet18|mobilenet_v2

LeNet-5 (28 x 28) and the ResNet-8 of MLPerf Tiny (32 x 32) with random weights, compiled for `neurram-core`: with ideal
cells, and on `rram-neurram` after a day with everything that it has. One thread, then as many as asked for (by the
clock). With `--compile` a larger network of torchvision is compiled alone: CPU-seconds and peak of the memory.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tools import Figures, cpu_s, options, tell
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mho
from examples.models.train import resnet8, spread

REPEATS, ENOUGH_S = 3, 8.0
"""Of what is compared by the clock, at least; more of what is short, until so many seconds are measured."""


def layers_of(module: nn.Module, shape: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Positions, inputs and outputs of each layer, for an input of some shape."""
    layers: list[tuple[int, int, int]] = []

    def note(layer: Any, _: object, result: Any) -> None:
        layers.append((result[0, 0].numel(), layer.weight[0].numel(), len(layer.weight)))

    hooks = [m.register_forward_hook(note) for m in module.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    module.eval()(torch.zeros(1, *shape))
    for hook in hooks:
        hook.remove()
    return layers


def lenet() -> nn.Module:
    """LeNet-5 with ReLU and the largest of 2 x 2."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )


NETWORKS = {"LeNet-5": (lenet, (1, 28, 28)), "ResNet-8": (lambda: resnet8(3), (3, 32, 32))}
LARGE = {"resnet18": (3, 64, 64), "mobilenet_v2": (3, 96, 96)}
"""Networks of torchvision for 1,000 classes."""


def compile_large(name: str) -> str:
    """CPU-seconds and memory of the compilation of a large network."""
    import torchvision

    module = torchvision.models.get_model(name)
    model, x = nn.Sequential(spread(module), nn.Softmax(1)), pictures(256, LARGE[name])
    spent = cpu_s(lambda: mho.compile(model, "neurram-core", calibrate=x))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return f"{name}: compile {spent:.1f} CPU-s, peak of the memory {peak / 1e9:.2f} GB"


def pictures(images: int, shape: tuple[int, ...]) -> np.ndarray:
    """Fashion-MNIST of 14 x 14 pixels, enlarged, in several colours."""
    with np.load(Path(mho.__file__).parent / "data" / "fashion14.npz") as arrays:
        grey = np.resize(arrays["x"].reshape(-1, 14, 14).astype(np.float32), (images, 14, 14))
    times = -(-shape[1] // 14)
    grey = (grey / grey.max()).repeat(times, 1).repeat(times, 2)[:, : shape[1], : shape[2]]
    colours = np.array([1.0, 0.7, 0.4], dtype=np.float32)[: shape[0]]
    noise = np.random.default_rng(1).normal(0.0, 0.1 if shape[0] > 1 else 0.0, (images, *shape))
    return np.clip(grey[:, None] * colours[:, None, None] + noise, 0.0, 1.0).astype(np.float32)


def wall_s(work: Callable[[], object]) -> float:
    """Seconds of the clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def gemm_s(layers: list[tuple[int, int, int]], images: int) -> float:
    """CPU-seconds of the same products of matrices in single precision, without anything between."""
    spent = 0.0
    for positions, inputs, outputs in layers:
        x, w = np.ones((positions * 16, inputs), dtype=np.float32), np.ones((inputs, outputs), dtype=np.float32)
        spent += cpu_s(lambda x=x, w=w: [x @ w for _ in range(-(-images // 16))])
    return spent


def measure(name: str, images: int, threads: int) -> Figures:
    """Figures of one network, all for 1,000 images."""
    make, shape = NETWORKS[name]
    model, x = nn.Sequential(spread(make()), nn.Softmax(1)), pictures(images, shape)
    nets: list[mho.Net] = []
    compiled = cpu_s(lambda: nets.append(mho.compile(model, "neurram-core", calibrate=x[:256])))
    (net,) = nets
    figures: Figures = {
        "name": name, "compile_cpu_s": compiled, "mvms": net.summary()["mvms_per_image"],
    }
    for device in ("ideal", "rram-neurram"):
        run: Figures = {"device": device, "keep_codes": False}
        net.run(x[:16], **run)
        figures[device] = 1000 / images * cpu_s(lambda run=run: net.run(x, **run))
        # In turn, the best of each: what else a machine does slows down the one or the other.
        rounds: list[list[float]] = []
        while len(rounds) < REPEATS or sum(map(sum, rounds)) < ENOUGH_S:
            rounds.append([
                wall_s(lambda n=n, run=run: net.run(x, backend=mho.Functional(threads=n), **run)) for n in (1, threads)
            ])
        alone_s, shared_s = (min(seconds) for seconds in zip(*rounds, strict=True))
        figures[f"{device}_speedup"] = alone_s / shared_s
    figures["gemm"] = 1000 / images * gemm_s(layers_of(model, shape), images)
    return figures


def main() -> None:
    """Measure, and print a table."""
    parser = options(__doc__)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", choices=list(LARGE), help="compile this network, and nothing else")
    args = parser.parse_args()
    if args.compile:
        print(compile_large(args.compile))
        return
    torch.manual_seed(0)
    rows = [measure(name, args.images, args.threads) for name in NETWORKS]
    tell(args, rows, table(rows, args.threads))


def table(rows: list[Figures], threads: int) -> Iterator[str]:
    """The result in words and columns."""
    yield f"CPU-s for 1,000 images, one thread; wall-clock gain of {threads} threads; CPU-s of mho compile"
    for row in rows:
        yield (
            f"{row['name']:<10} {row['mvms']:>6} conversions   ideal {row['ideal']:6.2f}   "
            f"noisy {row['rram-neurram']:6.2f}   x {row['ideal_speedup']:.2f}, {row['rram-neurram_speedup']:.2f}   "
            f"GEMM {row['gemm']:.2f}   compile {row['compile_cpu_s']:.1f}"
        )


if __name__ == "__main__":
    main()
