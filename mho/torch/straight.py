"""Rounding whose gradients go straight through: those of what is rounded, and none beyond the range."""

from typing import Any

import torch  # pyright: ignore[reportMissingImports]


class _Rounded(torch.autograd.Function):
    """``clip(floor(x + 1/2), low, high)``."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, low: float, high: float) -> torch.Tensor:
        codes = torch.floor(x + 0.5)
        ctx.save_for_backward((codes >= low) & (codes <= high))
        return codes.clamp_(low, high)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        return gradient * ctx.saved_tensors[0], None, None


class _Converted(torch.autograd.Function):
    """Codes in half steps, ``2 floor(x) + 1``, of a converter that counts to ``high`` from 0 and from -1 to ``low``."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, low: float, high: float) -> torch.Tensor:
        codes = torch.floor(x)
        ctx.save_for_backward((codes >= low) & (codes <= high))
        return codes.clamp_(low, high).mul_(2.0).add_(1.0)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        return (gradient * ctx.saved_tensors[0]).mul_(2.0), None, None


def rounded(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Whole numbers between ``low`` and ``high``; halves are rounded up."""
    return _Rounded.apply(x, float(low), float(high))


def converted(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Codes of a converter in half steps, from what it converts in steps."""
    return _Converted.apply(x, float(low), float(high))


def straight(exact: torch.Tensor, smooth: torch.Tensor) -> torch.Tensor:
    """The numbers of the one with the gradients of the other."""
    return smooth + (exact - smooth).detach() if smooth.requires_grad else exact


def shifted(total: torch.Tensor, shift: int) -> torch.Tensor:
    """``floor(total / 2**shift + 1/2)`` of int64."""
    return (total + ((1 << shift) >> 1)) >> shift
