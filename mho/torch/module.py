"""Modules that hold arrays, and rounding whose gradients go straight through: none beyond the range."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch


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


def _within(gradient: torch.Tensor, whole: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Gradients where whole numbers are between ``low`` and ``high``, in one pass; 0 elsewhere."""
    return torch.ops.aten.hardtanh_backward(gradient, whole, low - 0.5, high + 0.5)


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, low: float, high: float) -> torch.Tensor:
        whole = (x + 0.5).floor_()
        ctx.save_for_backward(whole)
        ctx.range = low, high
        return whole.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        return _within(gradients[0], ctx.saved_tensors[0], *ctx.range), None, None


class _Converted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, low: float, high: float, factor: torch.Tensor, relu: bool) -> torch.Tensor:
        whole = torch.floor(x)
        ctx.save_for_backward(whole, factor)
        ctx.range, ctx.dim = (-0.5 if relu else low, high), x.ndim - factor.ndim
        # Code 0 of a negative line is half a step below the first.
        total = factor.sum(dim=0)
        for codes, each in zip(whole.clamp(*ctx.range).unbind(ctx.dim), 2.0 * factor, strict=True):
            total = torch.addcmul(total, codes, each)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        (whole, factor), of_factor = ctx.saved_tensors, None
        gradient = gradients[0].unsqueeze(ctx.dim)
        if ctx.needs_input_grad[3]:
            of_factor = (gradient * (2.0 * whole.clamp(*ctx.range) + 1.0)).sum_to_size(factor.shape)
        return _within(gradient.expand_as(whole), whole, *ctx.range).mul_(2.0 * factor), None, None, of_factor, None


class _Encoded(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, lanes: torch.Tensor, offset: torch.Tensor, factor: torch.Tensor, low: float, high: float, reach: Any
    ) -> torch.Tensor:
        place = torch.addcmul(0.5 - offset * factor, lanes, factor)
        ctx.save_for_backward(place, factor, reach)
        ctx.range = low, high
        return place.floor().clamp_(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        (place, factor, reach), (low, high), of_reach = ctx.saved_tensors, ctx.range, None
        gradient = torch.ops.aten.hardtanh_backward(gradients[0], place, low, high + 1.0)
        if ctx.needs_input_grad[5]:
            of_reach = (0.5 * gradient.sum() - torch.dot(gradient.flatten(), place.flatten())).to(reach) / reach
        return gradient.mul_(factor), None, None, None, None, of_reach


class _Turned(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, dims: tuple[int, ...]) -> torch.Tensor:
        ctx.back = tuple(np.argsort(dims))
        return x.permute(dims).contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        return gradients[0].permute(ctx.back).contiguous(), None


def turned(x: torch.Tensor, *dims: int) -> torch.Tensor:
    """Dimensions in another order, laid anew in memory, and so the gradient."""
    return _Turned.apply(x, dims)


def rounded(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """``clip(floor(x + 1/2), low, high)``."""
    return _Rounded.apply(x, float(low), float(high))


def converted(x: torch.Tensor, low: float, high: float, factor: torch.Tensor, relu: bool) -> torch.Tensor:
    """``factor`` of each line times codes in half steps, ``2 clip(floor(x), low, high) + 1``, added over products.

    ``factor`` has the last dimensions of ``x`` from that of products on. With ``relu`` negative lines have code 0.
    """
    return _Converted.apply(x, float(low), float(high), factor, relu)


def encoded(
    lanes: torch.Tensor, offset: torch.Tensor, factor: torch.Tensor, low: float, high: float,
    reach: torch.Tensor | None,
) -> torch.Tensor:
    """``clip(floor((lanes - offset) factor + 1/2), low, high)``, where ``factor`` goes with 1 / ``reach``."""
    return _Encoded.apply(lanes, offset, factor, float(low), float(high), reach)


def flat(values: torch.Tensor) -> torch.Tensor:
    """Values (elements, batch), of such or of images (batch, rows, columns, channels)."""
    return values if values.ndim == 2 else turned(values, 3, 1, 2, 0).flatten(0, 2)


def imaged(values: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Images (batch, rows, columns, channels) of such, or of values; ``shape`` is (channels, rows, columns)."""
    return values if values.ndim == 4 else turned(values.unflatten(0, shape), 3, 1, 2, 0)


def straight(exact: torch.Tensor, smooth: torch.Tensor) -> torch.Tensor:
    """The numbers of the one with the gradients of the other."""
    return smooth + (exact - smooth).detach() if smooth.requires_grad else exact
