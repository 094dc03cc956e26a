"""Speed of networks: CPU-seconds for 1,000 images of the backend `functional`, beside a plain GEMM of the same MACs.

    python benchmarks/networks.py [--images 500] [--threads 2] [--json FILE]
    python benchmarks/networks.py --compile ResNet-18|MobileNetV2

LeNet-5 (28 x 28) and the ResNet-8 of MLPerf Tiny (32 x 32) with random weights, compiled for `neurram-core`: with ideal
cells, and on `rram-neurram` after a day with everything that it has. One thread, then as many as asked for (by the
clock). The tile of aihwkit for torch is measured in the same run where it is installed: the same layers. With
`--compile` a larger network is compiled alone: CPU-seconds and the peak of the memory.
"""

import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tools import Figures, cpu_s, options, tell

import mho

REPEATS, ENOUGH_S = 3, 8.0
"""Of what is compared by the clock, at least; more of what is short, until so many seconds are measured."""
TARGETS = {"LeNet-5": 1.5, "ResNet-8": 12.0}
"""Most CPU-seconds for 1,000 images, ideal cells; twice that with noise."""


class Builder:
    """An ONNX graph with random weights, layer after layer."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.rng, self.nodes, self.weights = shape, np.random.default_rng(0), [], []
        self.layers: list[tuple[int, int, int]] = []
        """Positions, inputs and outputs of each layer."""

    def add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _weight(self, *shape: int, gain: float = 2.0) -> str:
        name = f"w{len(self.weights)}"
        value = self.rng.standard_normal(shape) * np.sqrt(gain / np.prod(shape[1:]))
        self.weights.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

    def conv(self, x: str, channels: int, outputs: int, kernel: int, size: int, stride: int = 1, pad: int = -1) -> str:
        """A convolution that gives ``size`` x ``size`` positions."""
        self.layers.append((size * size, channels * kernel**2, outputs))
        pads = [kernel // 2 if pad < 0 else pad] * 4
        weight = self._weight(outputs, channels, kernel, kernel)
        return self.add("Conv", [x, weight], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads)

    def depthwise(self, x: str, channels: int, size: int, stride: int) -> str:
        """A depthwise convolution of 3 x 3 that gives ``size`` x ``size`` positions."""
        self.layers.append((size * size, 9, channels))
        weight = self._weight(channels, 1, 3, 3)
        shape: Figures = {"kernel_shape": [3, 3], "strides": [stride] * 2, "pads": [1] * 4}
        return self.add("Conv", [x, weight], group=channels, **shape)

    def relu6(self, x: str) -> str:
        """The ReLU that ends at 6."""
        for name, value in (("c0", 0.0), ("c6", 6.0)):
            if name not in {w.name for w in self.weights}:
                self.weights.append(numpy_helper.from_array(np.float32(value), name))
        return self.add("Clip", [x, "c0", "c6"])

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        self.layers.append((1, inputs, outputs))
        return self.add("Gemm", [x, self._weight(outputs, inputs, gain=1.0)], transB=1)

    def model(self, y: str, classes: int = 10) -> bytes:
        ends = [("x", self.shape), (self.add("Softmax", [y], axis=1), (classes,))]
        infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape]) for name, shape in ends]
        graph = helper.make_graph(self.nodes, "network", infos[:1], infos[1:], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return model.SerializeToString()


def lenet() -> tuple[Builder, bytes]:
    """LeNet-5 with ReLU and the largest of 2 x 2."""
    b = Builder((1, 28, 28))
    pool: Figures = {"kernel_shape": [2, 2], "strides": [2, 2]}
    x = b.add("MaxPool", [b.add("Relu", [b.conv("x", 1, 6, 5, 28)])], **pool)
    x = b.add("MaxPool", [b.add("Relu", [b.conv(x, 6, 16, 5, 10, pad=0)])], **pool)
    x = b.add("Relu", [b.dense(b.add("Flatten", [x]), 400, 120)])
    return b, b.model(b.dense(b.add("Relu", [b.dense(x, 120, 84)]), 84, 10))


def resnet8() -> tuple[Builder, bytes]:
    """ResNet-8 of MLPerf Tiny, its normalisations folded."""
    b = Builder((3, 32, 32))
    x, channels, size = b.add("Relu", [b.conv("x", 3, 16, 3, 32)]), 16, 32
    for outputs, stride in ((16, 1), (32, 2), (64, 2)):
        size //= stride
        y = b.add("Relu", [b.conv(x, channels, outputs, 3, size, stride)])
        short = x if stride == 1 else b.conv(x, channels, outputs, 1, size, stride, 0)
        x, channels = b.add("Relu", [b.add("Add", [b.conv(y, outputs, outputs, 3, size), short])]), outputs
    return b, b.model(b.dense(b.add("Flatten", [b.add("GlobalAveragePool", [x])]), 64, 10))


def resnet18() -> tuple[Builder, bytes]:
    """ResNet-18, 64 x 64 pixels and 1,000 classes: 11.7 million weights, normalisations folded."""
    b = Builder((3, 64, 64))
    x = b.add("Relu", [b.conv("x", 3, 64, 7, 32, 2)])
    x, channels, size = b.add("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4), 64, 16
    for outputs, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        size //= stride
        y = b.add("Relu", [b.conv(x, channels, outputs, 3, size, stride)])
        short = x if channels == outputs else b.conv(x, channels, outputs, 1, size, stride, 0)
        x, channels = b.add("Relu", [b.add("Add", [b.conv(y, outputs, outputs, 3, size), short])]), outputs
    return b, b.model(b.dense(b.add("Flatten", [b.add("GlobalAveragePool", [x])]), 512, 1000), 1000)


def mobilenet() -> tuple[Builder, bytes]:
    """MobileNetV2, 96 x 96 pixels and 1,000 classes, normalisations folded."""
    b = Builder((3, 96, 96))
    x, channels, size = b.relu6(b.conv("x", 3, 32, 3, 48, 2)), 32, 48
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for factor, outputs, count, first in stages:
        for stride in [first] + [1] * (count - 1):
            wide = channels * factor
            y = x if factor == 1 else b.relu6(b.conv(x, channels, wide, 1, size, 1, 0))
            size //= stride
            y = b.conv(b.relu6(b.depthwise(y, wide, size, stride)), wide, outputs, 1, size, 1, 0)
            x = b.add("Add", [x, y]) if stride == 1 and channels == outputs else y
            channels = outputs
    x = b.relu6(b.conv(x, channels, 1280, 1, size, 1, 0))
    return b, b.model(b.dense(b.add("Flatten", [b.add("GlobalAveragePool", [x])]), 1280, 1000), 1000)


LARGE = {"ResNet-18": resnet18, "MobileNetV2": mobilenet}


def compile_large(name: str) -> str:
    """CPU-seconds and memory of the compilation of a large network."""
    builder, model = LARGE[name]()
    x = pictures(256, builder.shape)
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


def aihwkit_s(layers: list[tuple[int, int, int]], images: int) -> float | None:
    """CPU-seconds of aihwkit's tile for torch on the same layers; None where it is not installed."""
    try:
        import torch  # pyright: ignore[reportMissingImports]
        from aihwkit.nn import AnalogLinear  # pyright: ignore[reportMissingImports]
        from aihwkit.simulator.configs import TorchInferenceRPUConfig  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    torch.set_num_threads(1)
    spent = 0.0
    with torch.no_grad():
        for positions, inputs, outputs in layers:
            tile = AnalogLinear(inputs, outputs, rpu_config=TorchInferenceRPUConfig()).eval()
            x = torch.ones(positions * 16, inputs)
            spent += cpu_s(lambda tile=tile, x=x: [tile(x) for _ in range(-(-images // 16))])
    return spent


def measure(name: str, images: int, threads: int) -> Figures:
    """Figures of one network, all for 1,000 images."""
    builder, model = {"LeNet-5": lenet, "ResNet-8": resnet8}[name]()
    x = pictures(images, builder.shape)
    nets: list[mho.Net] = []
    compiled = cpu_s(lambda: nets.append(mho.compile(model, "neurram-core", calibrate=x[:256])))
    (net,) = nets
    figures: Figures = {
        "name": name, "compile_cpu_s": compiled, "target": TARGETS[name], "mvms": net.summary()["mvms_per_image"],
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
    figures["gemm"] = 1000 / images * gemm_s(builder.layers, images)
    peer_s = aihwkit_s(builder.layers, images)
    figures["aihwkit"] = None if peer_s is None else 1000 / images * peer_s
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
    rows = [measure(name, args.images, args.threads) for name in TARGETS]
    tell(args, rows, table(rows, args.threads))


def table(rows: list[Figures], threads: int) -> Iterator[str]:
    """The result in words and columns."""
    yield f"CPU-s for 1,000 images, one thread; wall-clock gain of {threads} threads; CPU-s of mho compile"
    for row in rows:
        aihwkit = "not installed" if row["aihwkit"] is None else f"{row['aihwkit']:.2f}"
        yield (
            f"{row['name']:<10} {row['mvms']:>6} conversions   ideal {row['ideal']:6.2f} (goal {row['target']:g})   "
            f"noisy {row['rram-neurram']:6.2f} (goal {2 * row['target']:g})   "
            f"x {row['ideal_speedup']:.2f}, {row['rram-neurram_speedup']:.2f}   GEMM {row['gemm']:.2f}   "
            f"aihwkit {aihwkit}   compile {row['compile_cpu_s']:.1f}"
        )


if __name__ == "__main__":
    main()
