"""Modules that hold arrays, and rounding whose gradients go straight through: none beyond the range."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]


class Module(torch.nn.Module):
    """A module whose arrays move with it from device to device, and are in no state dict."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def hold(self, **arrays: Any) -> None:
        """Keep arrays by their names; whole numbers as int64."""
        for name, array in arrays.items():
            tensor = torch.as_tensor(np.ascontiguousarray(array))
            whole = tensor.dtype in (torch.int8, torch.int16, torch.int32)
            self.register_buffer(name, tensor.long() if whole else tensor, persistent=False)


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, low: float, high: float) -> torch.Tensor:
        whole = (x + 0.5).floor_()
        codes = whole.clamp(low, high)
        ctx.save_for_backward(whole.eq(codes))
        return codes

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        return gradients[0] * ctx.saved_tensors[0], None, None


class _Converted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, low: float, high: float, factor: torch.Tensor, relu: bool) -> torch.Tensor:
        whole = torch.floor(x)
        codes = whole.clamp(0.0 if relu else low, high)
        inside = whole.eq(codes)
        if relu:
            codes = torch.where(whole < 0, -0.5, codes)
        ctx.save_for_backward(inside, factor, *([codes.clone()] if ctx.needs_input_grad[3] else []))
        return codes.mul_(2.0 * factor).add_(factor)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        (gradient,), (inside, factor, *codes) = gradients, ctx.saved_tensors
        of_factor = (gradient * (2.0 * codes[0] + 1.0)).sum(dim=1, keepdim=True) if codes else None
        return (gradient * inside).mul_(2.0 * factor), None, None, of_factor, None


def rounded(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """``clip(floor(x + 1/2), low, high)``."""
    return _Rounded.apply(x, float(low), float(high))


def converted(x: torch.Tensor, low: float, high: float, factor: torch.Tensor, relu: bool) -> torch.Tensor:
    """``factor`` of shape (lines, 1) times codes in half steps, ``2 clip(floor(x), low, high) + 1``, (lines, vectors).

    With ``relu`` negative lines have code 0.
    """
    return _Converted.apply(x, float(low), float(high), factor, relu)


def straight(exact: torch.Tensor, smooth: torch.Tensor) -> torch.Tensor:
    """The numbers of the one with the gradients of the other."""
    return smooth + (exact - smooth).detach() if smooth.requires_grad else exact
