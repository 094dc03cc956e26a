"""What a layer takes at each position of an image, on tensors: elements first, the batch last."""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from mho.compiler.program import Call
from mho.macro_models.integer.vector import PAD
from mho.macro_models.integer.window import Window
from mho.torch.module import Module


@dataclass(frozen=True)
class Geometry:
    """A window over an image of whole channels.

    ``shape`` is that of the image with its edges, ``inner`` where the image is in it, ``places`` those of each element
    of the kernel, ``positions`` how many there are along each axis.
    """

    channels: int
    sizes: tuple[int, ...]
    shape: tuple[int, ...]
    inner: tuple[slice, ...]
    places: tuple[tuple[slice, ...], ...]
    positions: tuple[int, ...]

    @classmethod
    def of(cls, window: Window | None, elements: int) -> "Geometry | None":
        """None where a window is none of a whole image, row by row."""
        if window is None or not window.axes or window.first:
            return None
        axes = window.axes
        sizes = tuple(axis.size for axis in axes)
        steps = [math.prod(sizes[k + 1 :]) for k in range(len(sizes))]
        whole = window.channel_step == math.prod(sizes) and window.channels * window.channel_step == elements
        if not whole or [axis.step for axis in axes] != steps:
            return None
        reached = [(a.positions - 1) * a.stride + (a.kernel - 1) * a.dilation + 1 for a in axes]
        shape = tuple(max(a.before + a.size, end) for a, end in zip(axes, reached, strict=True))
        starts = itertools.product(*(range(0, a.kernel * a.dilation, a.dilation) for a in axes))
        places = tuple(
            tuple(slice(at, at + (a.positions - 1) * a.stride + 1, a.stride) for at, a in zip(start, axes, strict=True))
            for start in starts
        )
        inner = tuple(slice(a.before, a.before + a.size) for a in axes)
        return cls(window.channels, sizes, shape, inner, places, tuple(a.positions for a in axes))


class _Windows(torch.autograd.Function):
    """Elements of all windows, (channels, kernel, positions, batch), of an image (channels, *sizes, batch)."""

    @staticmethod
    def forward(ctx: Any, image: torch.Tensor, pad: torch.Tensor, geometry: Geometry) -> torch.Tensor:
        ctx.geometry, batch = geometry, image.shape[-1]
        if geometry.shape != geometry.sizes:
            edged = image.new_empty((geometry.channels, *geometry.shape, batch))
            edged[:] = pad.to(image.dtype).reshape(-1, *[1] * (edged.ndim - 1))
            edged[(slice(None), *geometry.inner)] = image
            image = edged
        result = image.new_empty((geometry.channels, len(geometry.places), *geometry.positions, batch))
        for k, place in enumerate(geometry.places):
            result[:, k] = image[(slice(None), *place)]
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        geometry, (gradient,) = ctx.geometry, gradients
        edged = gradient.new_zeros((geometry.channels, *geometry.shape, gradient.shape[-1]))
        for k, place in enumerate(geometry.places):
            edged[(slice(None), *place)] += gradient[:, k]
        return edged[(slice(None), *geometry.inner)], None, None


class Patches(Module):
    """Inputs of a layer at all positions of a call, (inputs, positions * batch), from values (elements, batch)."""

    def __init__(self, call: Call, elements: int) -> None:
        super().__init__()
        patches, pad = call.patches, call.pad.astype(np.float32)
        self.single = len(patches) == 1 and np.array_equal(patches[0], np.arange(elements))
        self.geometry = None if self.single else Geometry.of(call.window, elements)
        if self.geometry is not None:
            of_channel = pad.reshape(self.geometry.channels, -1)
            if (of_channel == of_channel[:, :1]).all():
                pad = of_channel[:, 0]
            else:
                self.geometry = None
        self.hold(pad=pad)
        self.inputs, self.padded = patches.shape[1], bool((patches == PAD).any())
        if not self.single and self.geometry is None:
            beyond = np.where(patches == PAD, elements + np.arange(self.inputs), patches)
            self.hold(index=beyond.T.ravel())

    def forward(self, values: torch.Tensor, reach: torch.Tensor | None) -> torch.Tensor:
        """``reach`` is by how much the range of the codes was widened, None if it was not."""
        if self.single:
            return values
        pad = (self.pad if reach is None else torch.round(self.pad / reach.detach().float())).to(values.dtype)
        if self.geometry is not None:
            image = values.unflatten(0, (self.geometry.channels, *self.geometry.sizes))
            return _Windows.apply(image, pad, self.geometry).reshape(self.inputs, -1)
        if self.padded:
            values = torch.cat([values, pad[:, None].expand(-1, values.shape[1])])
        return values.index_select(0, self.index).reshape(self.inputs, -1)
