"""What a layer takes at each position of an image, on tensors."""

import math

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]

from mho.compiler.program import Call
from mho.macro_models.integer.vector import PAD


class Patches(torch.nn.Module):
    """Inputs of a layer at all positions of a call, (batch, inputs, positions), from values (batch, elements)."""

    def __init__(self, call: Call, elements: int) -> None:
        super().__init__()
        patches = call.patches
        self.register_buffer("pad", torch.as_tensor(call.pad.astype(np.float32)), persistent=False)
        self.single = len(patches) == 1 and np.array_equal(patches[0], np.arange(elements))
        self.geometry = None if self.single else _unfolding(call, elements)
        if not self.single and self.geometry is None:
            beyond = np.where(patches == PAD, elements + np.arange(patches.shape[1]), patches)
            self.padded = bool((patches == PAD).any())
            self.register_buffer("index", torch.as_tensor(beyond.T.astype(np.int64).copy()), persistent=False)

    def forward(self, values: torch.Tensor, reach: torch.Tensor | None) -> torch.Tensor:
        """``reach`` is by how much the range of the codes was widened, None if it was not."""
        pad = self.pad if reach is None else torch.round(self.pad / reach.detach().float())
        if self.single:
            return values[:, :, None]
        if self.geometry is None:
            if self.padded:
                values = torch.cat([values, pad.to(values.dtype).expand(len(values), -1)], dim=1)
            return values.index_select(1, self.index.flatten()).unflatten(1, self.index.shape)
        shape, edges, options = self.geometry
        image = values.reshape(len(values), *shape)
        if any(edges):
            image = functional.pad(image, edges, value=float(pad[0]))
        return functional.unfold(image, **options)


def _unfolding(call: Call, elements: int) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, tuple[int, ...]]] | None:
    """Shape of the image, what is added at its edges, and how a window moves; None where that is not what it does."""
    window = call.window
    if window is None or not 1 <= len(window.axes) <= 2 or window.first or len(set(call.pad.tolist())) > 1:
        return None
    sizes = [axis.size for axis in window.axes]
    steps = [math.prod(sizes[k + 1 :]) for k in range(len(sizes))]
    plain = [axis.step for axis in window.axes] == steps and window.channel_step == math.prod(sizes)
    if not plain or window.channels * window.channel_step != elements:
        return None
    axes, edges = list(window.axes), list[int]()
    for axis in reversed(axes):
        reached = (axis.positions - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1
        edges += [axis.before, reached - axis.before - axis.size]
    first = [1] * (2 - len(axes))
    options = {
        "kernel_size": (*first, *(a.kernel for a in axes)), "stride": (*first, *(a.stride for a in axes)),
        "dilation": (*first, *(a.dilation for a in axes)),
    }
    return (window.channels, *first, *sizes), (*edges, *[0] * (4 - len(edges))), options
