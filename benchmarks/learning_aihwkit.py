"""The digits of `learning.py --rules` learned by IBM's aihwkit, with its own presets of the rules, on cells like ours.

    python -m venv aih && aih/bin/pip install aihwkit scikit-learn "torch>=2.10,<2.13" && \
        aih/bin/python benchmarks/learning_aihwkit.py [--rules agad,mixed-precision] [--epochs 20]

Cells of 21 steps with the spreads of ``ReRamArrayOMPresetDevice``, steps down 1.1 times those up; references 5 % off,
products exact, batches of one image. Of two rates the one that ends better counts. It needs nothing of mho.
"""

import argparse
import itertools
import sys
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

PRESETS = {
    "sgd": "ReRamESPreset", "tiki-taka": "TikiTakaReRamESPreset", "tiki-taka-2": "TTv2ReRamESPreset",
    "chopped": "ChoppedTTv2ReRamESPreset", "agad": "AGADReRamESPreset",
    "mixed-precision": "MixedPrecisionReRamESPreset",
}
RATES, TRAIN, SIZES = (0.1, 0.3), 1347, (64, 48, 10)
UP_DOWN = -0.0476
"""Difference of a step up and one down over their mean: 1.1 times as large down."""


def configuration(rule: str) -> Any:
    """The preset of a rule, with these cells in place of its own and exact products."""
    presets, parameters = (import_module(f"aihwkit.simulator.{name}") for name in ("presets", "parameters"))

    def cell(**changes: Any) -> Any:
        return presets.ReRamArrayOMPresetDevice(
            w_max_dtod=0.0, w_min_dtod=0.0, write_noise_std=0.0, up_down=UP_DOWN, **changes)

    made = getattr(presets, PRESETS[rule])()
    made.forward = made.backward = parameters.IOParameters(is_perfect=True)
    if hasattr(made.device, "unit_cell_devices"):
        made.device.unit_cell_devices = [cell(subtract_symmetry_point=True, reference_std=0.05), cell()]
    elif hasattr(made.device, "device"):
        made.device.device = cell()
    else:
        made.device = cell()
    return made


def accuracy(rule: str, rate: float, epochs: int) -> float:
    """Of 450 images behind the last epoch, in per cent."""
    nn, optim, torch = map(import_module, ("aihwkit.nn", "aihwkit.optim", "torch"))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(1000).permutation(len(images))
    x, y = torch.tensor(images[order] / 16.0, dtype=torch.float32), torch.tensor(classes[order])
    layers = [nn.AnalogLinear(*shape, rpu_config=configuration(rule)) for shape in itertools.pairwise(SIZES)]
    net = nn.AnalogSequential(layers[0], torch.nn.Hardtanh(0.0, 1.0), layers[1])
    optimizer = optim.AnalogSGD(net.parameters(), lr=rate)
    optimizer.regroup_param_groups(net)
    loss = torch.nn.CrossEntropyLoss()
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = rate * max((1 + np.cos(np.pi * epoch / epochs)) / 2, 0.05)
        for image in torch.randperm(TRAIN):
            optimizer.zero_grad()
            loss(net(x[image : image + 1]), y[image : image + 1]).backward()
            optimizer.step()
    with torch.no_grad():
        return 100 * float((net(x[TRAIN:]).argmax(dim=1) == y[TRAIN:]).float().mean())


def main() -> None:
    """Learn and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rules", default=",".join(PRESETS), help="by commas")
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    try:
        import_module("aihwkit")
    except ImportError:
        sys.exit("aihwkit is not installed: nothing is compared (see the top of this file)")
    for rule in args.rules.split(","):
        best, rate = max((accuracy(rule, rate, args.epochs), rate) for rate in RATES)
        print(f"| {rule} | {best:.1f} % | rate {rate} |", flush=True)


if __name__ == "__main__":
    main()
