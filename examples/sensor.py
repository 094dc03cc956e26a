"""A sensor in front of an array: kernels on noisy images, and pixels that adapt to the light before a classifier.

    python examples/sensor.py

`[sensor]` of a chip says how pixels answer to light (`docs/explanation/sensor.md`). Kernels of 3 x 3 (edge, sharpen,
soften) are a convolution on one array of 32 x 32 cells; the classifier is that of `mho demo`, its scenes between full
light and a sixteenth of it.
"""

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import mho
from mho.data import Sample, load_sample

Images = NDArray[np.float32]

KERNELS = {
    "edge": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "soften": [[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]],
}
FULL = 16.0
"""Brightest pixel of the digits."""
PIXELS = {"gain_spread": 0.03, "dark_spread": 0.01}


def sensor_of(response: str, **keys: float) -> dict[str, float | str]:
    """Overrides of a chip."""
    return {f"sensor.{name}": value for name, value in {"response": response, "full_light": FULL, **keys}.items()}


def kernels(side: int) -> bytes:
    """The kernels as a network: an image to three."""
    weights = numpy_helper.from_array(np.array(list(KERNELS.values()), dtype=np.float32)[:, None], "kernels")
    node = helper.make_node("Conv", ["image", "kernels"], ["images"], pads=[1, 1, 1, 1])
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, side, side])
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", len(KERNELS), side, side])
    graph = helper.make_graph([node], "kernels", [image], [images], [weights])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return made.SerializeToString()


def filtered(clean: Images, noisy: Images) -> dict[str, float]:
    """Error of each kernel of noisy light, relative to what exact arithmetic makes of clean light."""
    side, errors = clean.shape[-1], {}
    weights = np.array(list(KERNELS.values()))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(clean, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), (2, 3))
    exact = np.einsum("nchwij,kij->nkhw", windows, weights)
    for name, sensor in (("linear", sensor_of("linear", **PIXELS)),
                         ("threshold", sensor_of("threshold", threshold=0.08, **PIXELS))):
        net = mho.compile(kernels(side), mho.Chip.load("array-32", **sensor), calibrate=noisy)
        images = np.asarray(net.run(noisy, time="1h").outputs).reshape(exact.shape)
        for k, kernel in enumerate(KERNELS):
            gain = (images[:, k] * exact[:, k]).sum() / (images[:, k] ** 2).sum()
            error = np.linalg.norm(gain * images[:, k] - exact[:, k]) / np.linalg.norm(exact[:, k])
            errors[f"{kernel}, {name} pixels"] = float(error)
    return errors


def adapted(digits: Sample, light: Images) -> dict[str, float]:
    """Accuracy of digits in scenes of different light, with pixels that do not adapt and pixels that do."""
    x, y = digits.x[: len(light)] * light[:, None, None], digits.y[: len(light)]
    level, shown = float(digits.calibrate.mean() / FULL), {}
    for name, adaptation in (("none", 0.0), ("full", 1.0)):
        sensor = sensor_of("linear", adaptation=adaptation, adapted_level=level, **PIXELS)
        net = mho.compile(digits.model, mho.Chip.load("array-128", **sensor), calibrate=digits.calibrate[:64])
        shown[f"accuracy, adaptation {name}"] = net.run(x, time="1h").accuracy(y)
    return shown


def main(count: int = 400) -> dict[str, float]:
    """Both, of so many images."""
    rng = np.random.default_rng(0)
    digits = load_sample("digits")
    clean = digits.x[:, None]
    noisy = np.clip(clean + rng.normal(0.0, 0.1 * FULL, clean.shape), 0.0, FULL).astype(np.float32)
    light = (2.0 ** -rng.uniform(0.0, 4.0, count)).astype(np.float32)
    shown = filtered(clean[:20], noisy[:20]) | adapted(digits, light)
    for name, value in shown.items():
        print(f"{name:32s} {value:.3f}")
    return shown


if __name__ == "__main__":
    main()
