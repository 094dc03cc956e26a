"""Networks of two published memristor systems, trained here, on descriptions of these systems: accuracy beside theirs.

    python examples/models/published_arrays.py [MNIST] [--images 10000] [--cosim 2]

``yao-2020`` (Nature 577, 641): a CNN with 8 and 12 kernels of 3 x 3, poolings that leave 192 values, and a dense layer,
weights of 15 levels. ``liu-2020`` (ISSCC 2020, 33.2): a perceptron 784-100-10, black and white pixels, weights of 7
levels; 2 bits between its arrays, as in its 77 us an image, and 8, the most. MNIST is a folder with its four files
(``train-images-idx3-ubyte.gz`` and so on); it is not shipped, and without it Fashion-MNIST is taken, for which nothing
is published. ``--cosim``: so many images through the Verilog too.
"""

import argparse
import gzip
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import train
from numpy.typing import NDArray

import mho

Images = NDArray[np.uint8]

FASHION = Path(__file__).parents[1] / "data" / "fashion_mnist28.npz"
CHIPS, TIMES = 4, ("1s", "1d")
PUBLISHED = {"yao-2020": "95.07 % after transfer, 96.19 % after its last layer was trained on the arrays",
             "liu-2020": "about 92 % with 2 bits between its arrays; with weights of 7 levels 93.4 %, in simulation "
                         "some 2 points more; 94.4 % at best"}


def images(folder: Path | None) -> tuple[Images, Images, Images, Images]:
    """Training images of shape (images, 28, 28) and their classes, then those of the test."""
    if folder is None:
        with np.load(FASHION, allow_pickle=False) as data:
            return data["x_train"], data["y_train"], data["x_test"], data["y_test"]
    pixels, classes = (
        [np.frombuffer(gzip.decompress((folder / f"{part}-{name}.gz").read_bytes()), np.uint8)[header:]
         for part in ("train", "t10k")]
        for name, header in (("images-idx3-ubyte", 16), ("labels-idx1-ubyte", 8))
    )
    return pixels[0].reshape(-1, 28, 28), classes[0], pixels[1].reshape(-1, 28, 28), classes[1]


def trained(net: torch.nn.Module, x: Images, y: Images, levels: int, **recipe: Any) -> Any:
    """A network whose weights have an odd number of levels, up to 2.5 of their standard deviations."""
    torch.manual_seed(1)
    train.fit(net, x, y, train.Recipe(net=lambda: net, data=lambda: (x, y, x, y), noise=0.05, **recipe))
    with torch.no_grad():
        for weights in (p for p in net.parameters() if p.ndim > 1):
            top, steps = 2.5 * weights.std(), levels // 2
            weights.copy_(torch.round(torch.clip(weights / top, -1.0, 1.0) * steps) / steps * top)
    return train.to_onnx(net, x, recipe["scale"])


def measure(chip: str, model: Any, calibrate: Images, x: Images, y: Images, cosim: int, **bits: Any) -> None:
    """Compile, and print the accuracy of some chips at some times."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{chip}.onnx"
        path.write_bytes(model.SerializeToString())
        net = mho.compile(path, chip, calibrate=calibrate, copies=1, **bits)
    for time in TIMES:
        result = net.run(x, time=time, seeds=CHIPS)
        in_float = float((np.argmax(result.reference, axis=1) == y).mean())
        print(f"{chip}, {time}: {result.accuracy(y):.2%} on {CHIPS} chips, {in_float:.2%} in float, {len(x)} images")
    print(f"{chip}, published: {PUBLISHED[chip]}")
    if cosim:
        through, by_model = (net.run(x[:cosim], backend=name).codes for name in ("cosim", "functional"))
        equal = all(np.array_equal(through[layer], by_model[layer]) for layer in by_model)
        print(f"{chip}: {cosim} images through the Verilog, {'equal' if equal else 'NOT equal'} to the model")


def main() -> None:
    """Both systems."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mnist", nargs="?", type=Path)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--cosim", type=int, default=0)
    options = parser.parse_args()
    print("MNIST" if options.mnist else "Fashion-MNIST, as no folder was named: nothing is published for it")
    x, y, x_test, y_test = images(options.mnist)
    x_test, y_test = x_test[: options.images], y_test[: options.images]
    black, black_test = ((pixels >= 128).astype(np.uint8) for pixels in (x, x_test))
    liu = trained(train.perceptron(784, 100, 10), black, y, 7, scale=1.0, epochs=25, rate=3e-3, batch=64, smoothing=0.0)
    for bits in (2, 8):
        print(f"liu-2020 with {bits} bits between its arrays")
        measure("liu-2020", liu, black[:500], black_test, y_test, options.cosim, in_bits=bits)
    yao = trained(train.cnn(28, (8, 12), (3, 2)), x, y, 15, scale=255.0, epochs=20, rate=6e-3)
    measure("yao-2020", yao, x[:500], x_test, y_test, options.cosim)


if __name__ == "__main__":
    main()
