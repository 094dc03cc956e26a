"""The static program of a compiled network: what the host and the cores do for each image, in which order.

A program is data. :func:`run_layer` is the one interpreter of a layer; what carries out its matrix-vector products is
passed in, so that calibration, every backend and the references share it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.integer import Root, check_headroom, largest_code, scale_leaf, sum_leaves
from macro_models.exact.operation import LSB_SEGMENT_BITS, MvmOperation

__all__ = [
    "DITHER",
    "OP_ID_IMAGE_SHIFT",
    "InputStage",
    "Layer",
    "Mvm",
    "OutputStage",
    "RunMvm",
    "lanes_of",
    "row_codes",
    "run_layer",
]

DITHER = -1
"""Marks a row that takes a constant: 1 in each segment of an operation."""

OP_ID_IMAGE_SHIFT = 32
"""``op_id = image << 32 | operation``."""


@dataclass(frozen=True, kw_only=True)
class InputStage:
    """The host's quantisation of an input: ``clip(rint((x - offset) / scale), low, high)``.

    ``offset`` and ``scale`` have shape (features,), in the units of the model.
    """

    offset: NDArray[np.float64]
    scale: NDArray[np.float64]
    low: int
    high: int

    def compute(self, x: NDArray[np.floating]) -> NDArray[np.int16]:
        """Codes of shape (batch, features) for finite ``x`` of shape (batch, ...)."""
        flat = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
        return np.clip(np.rint((flat - self.offset) / self.scale), self.low, self.high).astype(np.int16)

    def value(self, codes: NDArray[np.integer]) -> NDArray[np.float64]:
        """The numbers that codes stand for."""
        return codes * self.scale + self.offset


@dataclass(frozen=True, kw_only=True)
class OutputStage:
    """The host's dequantisation of the last layer's lanes: ``lanes * scale``, ``scale`` of shape (outputs,)."""

    scale: NDArray[np.float64]

    def compute(self, lanes: NDArray[np.integer]) -> NDArray[np.float64]:
        """Numbers in the units of the model, of shape (batch, outputs)."""
        return lanes * self.scale


@dataclass(frozen=True, kw_only=True)
class Mvm:
    """One matrix-vector product of one core, and the leaf that takes its codes.

    Parameters
    ----------
    core
        Core of the program, from 0.
    operation
        Number of the (first) conversion in the static program, at position 0: the lower half of ``op_id``.
    op
        What the core is told.
    first
        First row of the layer that this product takes; it takes ``len(rows)`` in order.
    rows
        Physical row pairs.
    columns
        Physical source lines that are converted.
    outputs
        Output of the layer to which each column adds.
    multiplier
        Leaf multiplier of each column, 0..32767.
    """

    core: int
    operation: int
    op: MvmOperation
    first: int
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    outputs: NDArray[np.int32]
    multiplier: NDArray[np.int32]

    def vector(self, codes: NDArray[np.integer], lines: int) -> NDArray[np.int16]:
        """Input codes of the core, of shape (batch, lines // 2), for the codes of the layer's rows."""
        x = np.zeros((len(codes), lines // 2), dtype=np.int16)
        x[:, self.rows] = codes[:, self.first : self.first + len(self.rows)]
        return x


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One linear layer: its products, the shift that their leaves share, and the root.

    ``spread`` says which input each row of the layer takes, of shape (rows,): an input may drive several rows, and a
    row with :data:`DITHER` takes a constant. The layer is computed at ``positions`` of an image; the conversions of
    position p follow those of position p - 1.
    """

    name: str
    inputs: int
    outputs: int
    spread: NDArray[np.int32]
    mvms: tuple[Mvm, ...]
    shift: int
    root: Root
    positions: int = 1

    @property
    def conversions(self) -> int:
        """Conversions at one position."""
        return sum(m.op.segments for m in self.mvms)

    def rows(self, codes: NDArray[np.integer]) -> NDArray[np.int16]:
        """Codes of the rows, of shape (batch, rows), for input codes of shape (batch, inputs)."""
        return row_codes(codes, self.spread, self.mvms[0].op)

    def check(self) -> None:
        """Raises ValueError unless the widths of :mod:`compiler.integer` suffice for all codes."""
        leaves = [(largest_code(m.op), m.multiplier, m.outputs) for m in self.mvms]
        check_headroom(leaves, self.shift, self.root.bias)


def row_codes(codes: NDArray[np.integer], spread: NDArray[np.int32], op: MvmOperation) -> NDArray[np.int16]:
    """Codes of a layer's rows, of shape (batch, rows); see :class:`Layer`."""
    constant = 1 if op.segments == 1 else (1 << LSB_SEGMENT_BITS) + 1
    return np.where(spread == DITHER, constant, codes[:, spread]).astype(np.int16)


RunMvm = Callable[[Mvm, NDArray[np.int16], NDArray[np.uint64]], NDArray[np.integer]]
"""Carries out a product: (product, input codes (batch, lines // 2), op_id (batch,)) -> codes (batch, lines)."""


def lanes_of(
    layer: Layer,
    codes: NDArray[np.integer],
    images: NDArray[np.integer],
    lines: int,
    run: RunMvm,
    positions: NDArray[np.integer] | None = None,
) -> NDArray[np.int16]:
    """Sums of the leaves of a layer, of shape (batch, outputs), for input codes of shape (batch, inputs).

    ``images`` are the numbers of the images, of shape (batch,), ``positions`` where in them, None for 0.
    """
    leaves = []
    codes = layer.rows(codes)
    start = images.astype(np.uint64) << np.uint64(OP_ID_IMAGE_SHIFT)
    if positions is not None:
        start += positions.astype(np.uint64) * np.uint64(layer.conversions)
    for mvm in layer.mvms:
        op_id = start + np.uint64(mvm.operation)
        raw = run(mvm, mvm.vector(codes, lines), op_id)
        leaves.append((scale_leaf(raw[:, mvm.columns], mvm.multiplier, layer.shift), mvm.outputs))
    return sum_leaves(leaves, layer.outputs)


def run_layer(
    layer: Layer,
    codes: NDArray[np.integer],
    images: NDArray[np.integer],
    lines: int,
    run: RunMvm,
    positions: NDArray[np.integer] | None = None,
) -> NDArray[np.int16]:
    """Output of a layer (codes of the next layer, or lanes of the last), of shape (batch, outputs)."""
    return layer.root.compute(lanes_of(layer, codes, images, lines, run, positions))
