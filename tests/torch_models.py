"""Modules of PyTorch with all kinds of layers, small."""

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is missing: pip install 'mho[torch]'")
nn = torch.nn
# Small tensors: threads would wait for each other.
torch.set_num_threads(1)


class Recurrent(nn.Module):
    def __init__(self, cell: Any) -> None:
        super().__init__()
        self.cell, self.out = cell(5, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.cell(x)[0][:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention, self.out = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.attention(x, x, x, need_weights=False)[0].mean(dim=1))


class Residual(nn.Module):
    """Branches, a depthwise convolution, a normalisation and probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.depth, self.point, self.out = nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.Conv2d(6, 6, 1), nn.Linear(6, 4)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.relu(x + self.point(nn.functional.hardtanh(self.depth(x), 0.0, 6.0)))
        return torch.softmax(self.out(x.mean((2, 3))), dim=1)


MODELS = {
    "linear": (lambda: nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 4)), (12,)),
    "conv1": (lambda: nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 4)), (2, 8)),
    "conv2": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 4)
        ), (1, 6, 6),
    ),
    "conv3": (lambda: nn.Sequential(nn.Conv3d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)), (1, 3, 3, 3)),
    "transposed": (lambda: nn.Sequential(nn.ConvTranspose2d(2, 3, 2, stride=2), nn.Sigmoid()), (2, 3, 3)),
    "rnn": (lambda: Recurrent(nn.RNN), (4, 5)),
    "lstm": (lambda: Recurrent(nn.LSTM), (4, 5)),
    "gru": (lambda: Recurrent(nn.GRU), (4, 5)),
    "attention": (Attention, (4, 8)),
    "residual": (Residual, (1, 6, 6)),
}
