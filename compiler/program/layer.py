"""Layers: products of cores, the calls that take them to positions of an image, and how one is carried out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.compiler.types import Lanes
from mho.macro_models.integer.operation import MvmOperation
from mho.macro_models.integer.vector import Root, check_headroom, largest_code, scale_leaf, sum_leaves, take_rows
from mho.macro_models.integer.window import Window
from mho.macro_models.macro import constant_input
from mho.macro_models.types import Indices, Integral

DITHER = -1
"""Marks a row that takes a constant: 1 in each segment of an operation."""

OP_ID_IMAGE_SHIFT = 32
"""``op_id = image << 32 | operation``."""


@dataclass(frozen=True, kw_only=True)
class Mvm:
    """One matrix-vector product of one core, and the leaf that takes its codes."""

    core: int
    """Core of the program, from 0."""
    operation: int
    """Number of the (first) conversion in the static program, at position 0: the lower half of ``op_id``."""
    op: MvmOperation
    """What the core is told."""
    first: int
    """First row of the layer that this product takes; it takes ``len(rows)`` in order."""
    rows: Indices
    """Physical row pairs."""
    columns: Indices
    """Physical source lines that are converted."""
    outputs: Indices
    """Output of the layer to which each column adds."""
    multiplier: Indices
    """Leaf multiplier of each column, 0..32767."""

    def taken(self, spread: Indices) -> Indices:
        """Which input of the layer each of its rows takes, of those of all rows of the layer."""
        return spread[self.first : self.first + len(self.rows)]

    def vector(self, codes: Integral, inputs: int) -> Lanes:
        """Input codes of a core with ``inputs`` row pairs, of shape (batch, inputs), for those of the layer's rows."""
        x = np.zeros((len(codes), inputs), dtype=np.int16)
        x[:, self.rows] = codes[:, self.first : self.first + len(self.rows)]
        return x


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One linear layer: its products, the shift that their leaves share, and the root.

    ``spread`` says which input each row of the layer takes, of shape (rows,): an input may drive several rows, and a
    row with :data:`DITHER` takes a constant. The layer is computed at ``positions`` of an image, those of all of its
    calls; the conversions of position p follow those of position p - 1.
    """

    name: str
    inputs: int
    outputs: int
    spread: Indices
    mvms: tuple[Mvm, ...]
    shift: int
    root: Root
    positions: int = 1

    @property
    def conversions(self) -> int:
        """Conversions at one position."""
        return sum(m.op.segments for m in self.mvms)

    def check(self) -> None:
        """Raises ValueError unless the widths of the vector unit suffice for all codes."""
        leaves = [(largest_code(m.op), m.multiplier, m.outputs) for m in self.mvms]
        check_headroom(leaves, self.shift, self.root.bias)


def row_codes(codes: Integral, spread: Indices, op: MvmOperation) -> Lanes:
    """Codes of a layer's rows, of shape (batch, rows); see :class:`Layer`."""
    return np.where(spread == DITHER, constant_input(op), codes[:, spread]).astype(np.int16)


@dataclass(frozen=True, kw_only=True)
class Call:
    """Layer number ``layer`` at every position of ``patches``; its lanes are in the order (outputs, positions).

    ``patches`` of shape (positions, inputs) says which element each input of the layer takes,
    :data:`~mho.macro_models.integer.vector.PAD` for its code ``pad``. ``window`` is their geometry, None if they have
    none. A layer may be called several times, as that of a recurrent network is at each step: its positions are then
    those of all calls in their order, and ``first`` is the number of the first one of this call, so that each
    conversion of an image has a number of its own.

    A call with ``turns`` is that of a copy which is dealt images: of those with the number ``turn`` modulo ``turns`` it
    makes what the layer makes, and 0 of others.
    """

    layer: int
    patches: Indices
    pad: Lanes
    window: Window | None = None
    first: int = 0
    turn: int = 0
    turns: int = 1

    @property
    def positions(self) -> slice:
        """Which of the layer's positions are those of this call."""
        return slice(self.first, self.first + len(self.patches))

    def own(self, images: Integral) -> NDArray[np.intp]:
        """Places of the images that it computes, of those with such numbers."""
        return np.flatnonzero(images.astype(np.uint64) % np.uint64(self.turns) == self.turn)

    def of_own(self, run: Callable[[Lanes, Integral], Lanes], codes: Lanes, images: Integral, outputs: int) -> Lanes:
        """What ``run`` makes of codes and numbers of images, (batch, outputs * positions); 0 of other copies' ones."""
        if self.turns == 1:
            return run(codes, images)
        mine, lanes = self.own(images), np.zeros((len(codes), outputs * len(self.patches)), np.int16)
        if mine.size:
            lanes[mine] = run(codes[mine], images[mine])
        return lanes

RunMvm = Callable[[Call, Mvm, Lanes, NDArray[np.uint64]], Integral]
"""Carries out a product: (call of the layer, product, codes of all rows of the layer (batch, rows), op_id (batch,))
-> output codes of the product's columns (batch, columns)."""


def run_call(
    call: Call, layer: Layer, codes: Lanes, images: Integral, run: RunMvm,
    notice: Callable[[int, int], None] | None = None,
) -> Lanes:
    """A layer at the positions of a call: shape (batch, outputs * positions) from codes of shape (batch, elements).

    Where the layer makes codes, ``notice`` is told how many of how many were larger than what they reach.
    """
    return call.of_own(
        lambda part, numbers: _run_all(call, layer, part, numbers, run, notice), codes, images, layer.outputs)


def _run_all(
    call: Call, layer: Layer, codes: Lanes, images: Integral, run: RunMvm,
    notice: Callable[[int, int], None] | None,
) -> Lanes:
    """The same of all images."""
    batch, positions = len(codes), len(call.patches)
    rows = take_rows(codes, call.patches, call.pad).reshape(batch * positions, -1)
    rows = row_codes(rows, layer.spread, layer.mvms[0].op)
    start = np.repeat(images.astype(np.uint64) << np.uint64(OP_ID_IMAGE_SHIFT), positions)
    numbers = np.arange(call.first, call.first + positions, dtype=np.uint64)
    start += np.tile(numbers * np.uint64(layer.conversions), batch)
    leaves = []
    for mvm in layer.mvms:
        raw = run(call, mvm, rows, start + np.uint64(mvm.operation))
        leaves.append((scale_leaf(raw, mvm.multiplier, layer.shift), mvm.outputs))
    total = sum_leaves(leaves, layer.outputs)
    result, clipped = layer.root.compute_counted(total)
    if notice is not None and layer.root.requantise is not None:
        notice(clipped, total.size)
    return result.reshape(batch, positions, -1).transpose(0, 2, 1).reshape(batch, -1)
