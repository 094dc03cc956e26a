"""Time of a training step of ResNet-8 that computes as a chip does, as a ratio to that of the plain module.

    python benchmarks/training.py [--pixels 14] [--batch 64] [--chip neurram] [--seconds 10] [--json FILE]

Forward, backward and Adam, of one thread, CPU time of the process; both take turns, so that they see the same machine.
Cells have the errors of the chip's device a day after programming. Needs PyTorch.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from tools import options, rates, tell
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mho.torch
from examples.models.train import resnet8

ROUNDS = 5


def main() -> None:
    """Measure, and print the ratio."""
    parser = options(__doc__)
    parser.add_argument("--pixels", type=int, default=14)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--chip", default="neurram")
    parser.add_argument("--seconds", type=float, default=10.0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = torch.rand(args.batch, 1, args.pixels, args.pixels), torch.randint(0, 10, (args.batch,))
    module = resnet8().eval()
    analog = mho.torch.convert(module, args.chip, calibrate=x, samples=16, seeds=1)

    def step(model: nn.Module) -> Any:
        optimizer = torch.optim.Adam(model.train().parameters(), 1e-4)

        def run() -> None:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

        return run

    measured = rates({"plain": step(module), "chip": step(analog)}, args.batch, args.seconds, ROUNDS)
    seconds = {name: args.batch / max(each) for name, each in measured.items()}
    ratio = seconds["chip"] / seconds["plain"]
    tell(args, {"seconds": seconds, "ratio": ratio, "torch": torch.__version__}, [
        *(f"{name:<8}{value * 1e3:8.1f} ms a step of {args.batch} images" for name, value in seconds.items()),
        f"ratio   {ratio:8.2f}",
    ])


if __name__ == "__main__":
    main()
