"""Rounding whose gradients go straight through: those of what is rounded, and none beyond the range."""

from typing import Any

import torch  # pyright: ignore[reportMissingImports]


class _Rounded(torch.autograd.Function):
    """``clip(floor(x + 1/2), low, high)``."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, low: float, high: float) -> torch.Tensor:
        whole = (x + 0.5).floor_()
        codes = whole.clamp(low, high)
        ctx.save_for_backward(whole.eq(codes))
        return codes

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        return gradient * ctx.saved_tensors[0], None, None


class _Converted(torch.autograd.Function):
    """``factor (2 floor(x) + 1)`` of a converter that counts to ``high`` from 0, and from -1 to ``low``."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, low: float, high: float, factor: torch.Tensor, relu: bool) -> torch.Tensor:
        whole = torch.floor(x)
        codes = whole.clamp(0.0 if relu else low, high)
        inside = whole.eq(codes)
        if relu:
            codes = torch.where(whole < 0, -0.5, codes)
        learned = ctx.needs_input_grad[3]
        ctx.save_for_backward(inside, factor, *([codes.clone()] if learned else []))
        return codes.mul_(2.0 * factor).add_(factor)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        inside, factor, *codes = ctx.saved_tensors
        of_factor = (gradient * (2.0 * codes[0] + 1.0)).sum(dim=1, keepdim=True) if codes else None
        return (gradient * inside).mul_(2.0 * factor), None, None, of_factor, None


def rounded(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Whole numbers between ``low`` and ``high``; halves are rounded up."""
    return _Rounded.apply(x, float(low), float(high))


def converted(x: torch.Tensor, low: float, high: float, factor: torch.Tensor, relu: bool) -> torch.Tensor:
    """``factor``, (lines, 1), times the codes of a converter in half steps, from steps (lines, vectors).

    With ``relu`` negative lines have code 0.
    """
    return _Converted.apply(x, float(low), float(high), factor, relu)


def straight(exact: torch.Tensor, smooth: torch.Tensor) -> torch.Tensor:
    """The numbers of the one with the gradients of the other."""
    return smooth + (exact - smooth).detach() if smooth.requires_grad else exact


def shifted(total: torch.Tensor, shift: int) -> torch.Tensor:
    """``floor(total / 2**shift + 1/2)`` of int64."""
    return (total + ((1 << shift) >> 1)) >> shift
