"""Time of a training step of ResNet-8 that computes as a chip does, as a ratio to that of the plain module.

    python benchmarks/training.py [--pixels 14] [--batch 64] [--chip neurram] [--seconds 10] [--json FILE]

Forward, backward and Adam, of one thread, CPU time of the process; both take turns, so that they see the same machine.
Cells have the errors of the chip's device a day after programming. Needs PyTorch.
"""

from typing import Any

import torch
from tools import options, rates, tell
from torch import nn

import mho.torch

ROUNDS = 5


class Block(nn.Module):
    """Two convolutions and what is beside them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.second, self.second_norm = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        beside = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.beside = nn.Identity() if stride == 1 else beside

    def forward(self, x: Any) -> Any:
        """Images of shape (batch, channels, rows, columns)."""
        inner = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(inner)) + self.beside(x))


class ResNet8(nn.Module):
    """ResNet-8 of MLPerf Tiny, for one channel and ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2))
        self.out = nn.Linear(64, 10)

    def forward(self, x: Any) -> Any:
        """Scores of images of shape (batch, 1, rows, columns)."""
        return self.out(self.blocks(torch.relu(self.norm(self.stem(x)))).mean((2, 3)))


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
    module = ResNet8().eval()
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
