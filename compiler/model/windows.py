"""Which elements a kernel sees at each output position, for convolutions and pooling in any number of dimensions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.compiler.types import Array
from mho.macro_models.integer.vector import PAD
from mho.macro_models.integer.window import Window, recover
from mho.macro_models.types import Flags, Indices

MOST_INDICES = 1 << 25
"""Elements of all windows of a channel."""
PAD_MODES = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


Attributes = Mapping[str, Any]
"""Of an operator of ONNX."""


@dataclass(frozen=True, kw_only=True)
class Windows:
    """The windows of one channel."""

    index: Indices
    """Elements of the flattened channel that each window holds, :data:`PAD` outside of it: (positions, kernel)."""
    inside: Flags
    """Whether an element is in the channel or in its explicit padding, (positions, kernel): what rounding up adds at
    the end is neither."""
    shape: tuple[int, ...]
    """Output positions along each dimension."""
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    """Along each dimension."""

    def recover(self, patches: Indices, channels: int, groups: int) -> Window | None:
        """The geometry of an index array over several channels, if it has one still."""
        return recover(patches, channels, self.shape, self.kernel, self.stride, self.dilation, groups)


def windows(size: Sequence[int], kernel: Sequence[int], attrs: Attributes) -> Windows:
    """Windows of a channel of ``size`` for ONNX's ``strides``, ``dilations``, ``pads``, ``auto_pad``, ``ceil_mode``.

    Raises ValueError if an attribute does not fit the dimensions or no position is left.
    """
    _, pads, counts = positions(size, kernel, attrs)
    if math.prod(counts) * math.prod(kernel) > MOST_INDICES:
        raise ValueError(f"its windows have more than {MOST_INDICES} elements")
    rank, axes = len(size), []
    strides, dilations = (_attribute(attrs, name, rank, 1) for name in ("strides", "dilations"))
    for axis, count in enumerate(counts):
        at = np.arange(count)[:, None] * strides[axis] + np.arange(kernel[axis]) * dilations[axis] - pads[axis]
        axes.append((at, (at >= 0) & (at < size[axis]), at < size[axis] + pads[axis + rank]))
    index, inside = _combine(size, axes)
    return Windows(
        index=index, inside=inside, shape=tuple(len(a[0]) for a in axes), kernel=tuple(kernel), stride=tuple(strides),
        dilation=tuple(dilations),
    )


def positions(size: Sequence[int], kernel: Sequence[int], attrs: Attributes) -> tuple[list[int], list[int], list[int]]:
    """Along each dimension the reach of a window and the output positions; what is padded, befores, then afters.

    In this order: reach, pads, positions; arguments and errors as of :func:`windows`.
    """
    rank = len(size)
    strides, dilations = (_attribute(attrs, name, rank, 1) for name in ("strides", "dilations"))
    if len(kernel) != rank or min((*kernel, *strides, *dilations), default=1) < 1:
        raise ValueError(f"its kernel, strides or dilations do not fit {rank} dimensions")
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads, ceil, counts = _pads(size, reach, strides, attrs), bool(attrs.get("ceil_mode", 0)), []
    for axis in range(rank):
        room = size[axis] + pads[axis] + pads[axis + rank] - reach[axis]
        count = (-(-room // strides[axis]) if ceil else room // strides[axis]) + 1
        if ceil and (count - 1) * strides[axis] >= size[axis] + pads[axis]:
            count -= 1
        if room < 0 or count < 1:
            raise ValueError(f"its kernel of {reach[axis]} is larger than the {size[axis]} elements of a dimension")
        counts.append(count)
    return reach, pads, counts


def transposed_size(size: Sequence[int], kernel: Sequence[int], attrs: Attributes) -> list[int]:
    """What a ConvTranspose makes along each dimension before it cuts; errors as of :func:`transposed_pads`."""
    rank = len(size)
    strides, dilations = (_attribute(attrs, name, rank, 1) for name in ("strides", "dilations"))
    extra = _attribute(attrs, "output_padding", rank, 0)
    if len(kernel) != rank or min((*kernel, *strides, *dilations), default=1) < 1:
        raise ValueError(f"its kernel, strides or dilations do not fit {rank} dimensions")
    return [s * (n - 1) + e + (k - 1) * d + 1
            for n, k, s, d, e in zip(size, kernel, strides, dilations, extra, strict=True)]


def _combine(size: Sequence[int], axes: Sequence[tuple[Array, ...]]) -> tuple[Indices, Flags]:
    index, real, inside = np.zeros((1, 1), np.int64), np.ones((1, 1), bool), np.ones((1, 1), bool)
    for length, (at, here, padded) in zip(size, axes, strict=True):

        def outer(a: Array, b: Array) -> Array:
            grid = a[:, None, :, None] + b[None, :, None, :] if a.dtype != bool else (
                a[:, None, :, None] & b[None, :, None, :]
            )
            return grid.reshape(a.shape[0] * b.shape[0], a.shape[1] * b.shape[1])

        index, real, inside = outer(index * length, at), outer(real, here), outer(inside, padded)
    return np.where(real, index, PAD).astype(np.int32), inside


def transposed_pads(size: Sequence[int], kernel: Sequence[int], attrs: Attributes) -> list[int]:
    """What a ConvTranspose cuts off, all befores, then all afters: its ``pads``, or what leaves its ``output_shape``.

    Raises ValueError if an attribute does not fit the dimensions.
    """
    rank, output_shape, mode = len(size), attrs.get("output_shape"), attrs.get("auto_pad", b"NOTSET")
    full, strides = transposed_size(size, kernel, attrs), _attribute(attrs, "strides", rank, 1)
    if output_shape is None and mode in (b"SAME_UPPER", b"SAME_LOWER"):
        output_shape = [n * s for n, s in zip(size, strides, strict=True)]
    if output_shape is None:
        pads = [int(p) for p in attrs.get("pads", [0] * 2 * rank)] if mode == b"NOTSET" else [0] * 2 * rank
        if len(pads) != 2 * rank:
            raise ValueError(f"its pads {pads} do not fit {rank} dimensions")
        return pads
    total = [f - int(w) for f, w in zip(full, output_shape[-rank:], strict=True)]
    small, large = [t // 2 for t in total], [t - t // 2 for t in total]
    return [*small, *large] if mode == b"SAME_UPPER" else [*large, *small]


def _attribute(attrs: Attributes, name: str, rank: int, default: int) -> list[int]:
    values = [int(v) for v in attrs.get(name, [default] * rank)]
    if len(values) != rank:
        raise ValueError(f"its {name} {values} do not fit {rank} dimensions")
    return values


def _pads(size: Sequence[int], reach: Sequence[int], strides: Sequence[int], attrs: Attributes) -> list[int]:
    """Elements before and after each dimension, as ONNX orders them: all befores, then all afters."""
    mode = attrs.get("auto_pad", b"NOTSET")
    mode = mode.decode() if isinstance(mode, bytes) else str(mode)
    if mode not in PAD_MODES:
        raise ValueError(f"its auto_pad {mode!r} is unknown")
    rank = len(size)
    if mode == "NOTSET":
        pads = [int(p) for p in attrs.get("pads", [0] * 2 * rank)]
        if len(pads) != 2 * rank or min(pads, default=0) < 0:
            raise ValueError(f"its pads {pads} do not fit {rank} dimensions or are negative")
        return pads
    if mode == "VALID":
        return [0] * 2 * rank
    total = [max((-(-n // s) - 1) * s + r - n, 0) for n, r, s in zip(size, reach, strides, strict=True)]
    small, large = [t // 2 for t in total], [t - t // 2 for t in total]
    return [*small, *large] if mode == "SAME_UPPER" else [*large, *small]
