"""What a layer takes at each position of an image, on tensors."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from mho.compiler.program import Call
from mho.macro_models.integer.vector import PAD
from mho.macro_models.integer.window import Window
from mho.torch.module import Module, flat, imaged


@dataclass(frozen=True)
class Geometry:
    """A window over an image of whole channels in one or two dimensions: what a convolution of PyTorch does.

    ``shape`` is (channels, rows, columns), ``edges`` how many elements are added before and behind each, from the last
    dimension on; ``kernel``, ``stride`` and ``dilation`` are those along rows and columns.
    """

    shape: tuple[int, ...]
    edges: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def padding(self) -> tuple[int, ...] | None:
        """Elements before and behind each dimension with which there are as many positions; None if with none."""
        before, behind = self.edges[::2][::-1], self.edges[1::2][::-1]
        reached = [(d * (k - 1) + 1 - size, s) for size, k, s, d in zip(
            self.shape[1:], self.kernel, self.stride, self.dilation, strict=True)]
        same = all((2 * b - reach) // s == (b + e - reach) // s for b, e, (reach, s) in zip(
            before, behind, reached, strict=True))
        return before if same else None

    @classmethod
    def of(cls, window: Window | None, elements: int) -> "Geometry | None":
        """None where a window is no such one."""
        if window is None or not 1 <= len(window.axes) <= 2 or window.first:
            return None
        axes = window.axes
        sizes = [axis.size for axis in axes]
        steps = [math.prod(sizes[k + 1 :]) for k in range(len(sizes))]
        whole = window.channels == 1 or window.channel_step == math.prod(sizes)
        used = [(axis.step, step) for axis, step in zip(axes, steps, strict=True) if axis.size > 1]
        if not whole or window.channels * math.prod(sizes) != elements or any(a != b for a, b in used):
            return None
        behind = [(a.positions - 1) * a.stride + (a.kernel - 1) * a.dilation + 1 - a.before - a.size for a in axes]
        edges = [edge for axis, after in zip(axes[::-1], behind[::-1], strict=True) for edge in (axis.before, after)]
        lone = (1,) * (2 - len(axes))
        return cls(
            (window.channels, *lone, *sizes), (*edges, *[0] * (4 - len(edges))), (*lone, *(a.kernel for a in axes)),
            (*lone, *(a.stride for a in axes)), (*lone, *(a.dilation for a in axes)),
        )


class Patches(Module):
    """Inputs of a layer at all positions of a call, from values (elements, batch)."""

    def __init__(self, call: Call, elements: int) -> None:
        super().__init__()
        patches, pad = call.patches, call.pad.astype(np.float32)
        self.positions = call.positions
        self.padding: tuple[int, ...] | None = None
        self.single = len(patches) == 1 and np.array_equal(patches[0], np.arange(elements))
        self.geometry = None if self.single else Geometry.of(call.window, elements)
        self.padded = bool((patches == PAD).any())
        beyond = np.where(patches == PAD, elements + np.arange(patches.shape[1]), patches)
        self.hold(pad=pad, index=beyond.T)
        if self.geometry is not None:
            of_channel = pad.reshape(self.geometry.shape[0], -1)
            self.hold(edge=of_channel[:, :1, None])
            self.padding = None if pad.any() else self.geometry.padding
            if not (of_channel == of_channel[:, :1]).all():
                self.geometry = None

    @property
    def kernel(self) -> int:
        """Inputs of a channel; 1 where it is no convolution of PyTorch."""
        return 1 if self.geometry is None else math.prod(self.geometry.kernel)

    def forward(self, values: torch.Tensor, reach: torch.Tensor | None) -> torch.Tensor:
        """Shape (inputs, positions * batch); ``reach`` is by how much the range of the codes was widened, or None."""
        values = flat(values)
        if self.single:
            return values
        if self.padded:
            values = torch.cat([values, self._wider(self.pad, reach).to(values)[:, None].expand(-1, values.shape[1])])
        return values.index_select(0, self.index.flatten()).reshape(len(self.index), -1)

    def image(
        self, values: torch.Tensor, reach: torch.Tensor | None, channels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """With a geometry: (batch, channels, rows, columns), channels last in memory.

        Its edges are there where there is no ``padding``. Of all channels, or of those that are named.
        """
        assert self.geometry is not None
        image, edge, edges = imaged(values, self.geometry.shape), self.edge, self.geometry.edges
        if channels is not None:
            image, edge = image.index_select(3, channels), edge.index_select(0, channels)
        image = image.permute(0, 3, 1, 2)
        if self.padding is not None:
            return image
        edge = self._wider(edge, reach)
        return torch.nn.functional.pad(image - edge, edges) + edge

    @staticmethod
    def _wider(pad: torch.Tensor, reach: torch.Tensor | None) -> torch.Tensor:
        return pad if reach is None else torch.round(pad / reach.detach().float())
