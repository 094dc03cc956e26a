"""A layer on programmed cores at all positions of images, fast: the bits of :func:`~mho.compiler.program.run_call`.

Vectors, a position of an image each, go through in blocks that stay in the cache of a processor, from the elements of
the value to the lanes of the outputs. Patches are never there as a whole, and an input that drives several rows is
taken once (:mod:`mho.macro_models.macro`).
"""

from collections.abc import Callable, Iterator, Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from mho.compiler.program import DITHER, OP_ID_IMAGE_SHIFT, Call, Layer, Mvm
from mho.compiler.types import Lanes
from mho.macro_models import MacroModel, Masks
from mho.macro_models.integer.vector import LeafSum, padded, take_vectors
from mho.macro_models.macro import MvmResult, constant_input
from mho.macro_models.types import Indices, Integral

BLOCK = 1 << 18
"""Codes of a block, as far as its vectors allow."""
FEWEST = 64
"""Vectors of a block at least."""

Sink = Callable[[Mvm, int, MvmResult], None]
"""Is told (product, number of the first vector, codes (vectors, columns) and decrements (vectors, segments))."""


class LayerRun:
    """A layer, bound to its cores.

    Parameters
    ----------
    call, layer
        What is computed.
    cores, masks
        The programmed cores by the numbers that products give, and their masks.
    """

    def __init__(
        self, call: Call, layer: Layer, cores: "Sequence[MacroModel] | dict[int, MacroModel]", masks: Sequence[Masks]
    ) -> None:
        self.layer = layer
        self._products = [_Product(layer, mvm, cores[mvm.core], masks[mvm.core]) for mvm in layer.mvms]
        widest = max(len(mvm.columns) for mvm in layer.mvms)
        self._block = max(FEWEST, BLOCK // widest)
        self._take(call)

    def of(self, call: Call) -> "LayerRun":
        """Another call of the same layer, on the same cores."""
        bound = copy(self)
        bound._take(call)
        return bound

    def _take(self, call: Call) -> None:
        self.call, layer = call, self.layer
        # Elements beyond those of the value: what stands for padding, and the constant of dithered rows.
        pads, _ = padded(call.patches, call.pad, 0)
        self._beyond = np.append(pads, constant_input(layer.mvms[0].op)).astype(np.float32)
        self._indices: dict[int, list[NDArray[np.intp]]] = {}

    def run(
        self, codes: Lanes, images: Integral, sink: Sink | None = None,
        notice: Callable[[int, int], None] | None = None,
    ) -> Lanes:
        """Shape (batch, outputs * positions) from codes of shape (batch, elements).

        ``notice`` as of :func:`~mho.compiler.program.run_call`; ``sink`` hears of the images that the call computes,
        one behind the other.
        """
        return self.call.of_own(
            lambda some_codes, numbers: self._run(some_codes, numbers, sink, notice), codes, images, self.layer.outputs)

    def _run(
        self, codes: Lanes, images: Integral, sink: Sink | None, notice: Callable[[int, int], None] | None
    ) -> Lanes:
        """The same of all images."""
        layer, positions, (batch, elements) = self.layer, len(self.call.patches), codes.shape
        indices = self._index(elements)
        values = np.empty((batch, elements + len(self._beyond)), dtype=np.float32)
        values[:, :elements] = codes
        values[:, elements:] = self._beyond
        result = np.empty((batch, layer.outputs, positions), dtype=np.int16)
        numbers = images.astype(np.uint64) << np.uint64(OP_ID_IMAGE_SHIFT)
        steps = np.arange(self.call.first, self.call.first + positions, dtype=np.uint64) * np.uint64(layer.conversions)
        clipped = 0
        for image, position in _blocks(batch, positions, self._block):
            first = image.start * positions + position.start
            vectors = (image.stop - image.start) * (position.stop - position.start)
            total = np.zeros((vectors, layer.outputs), dtype=np.int16)
            for product, index in zip(self._products, indices, strict=True):
                operation = np.uint64(product.mvm.operation)
                made = product.bound.compute(
                    take_vectors(values[image], index[position]),
                    (numbers[image, None] + (steps[position] + operation)).reshape(-1),
                )
                if sink is not None:
                    sink(product.mvm, first, made)
                product.leaves.add(total, made.codes)
            lanes, beyond = layer.root.compute_counted(total)
            clipped += beyond
            # Turned while it is in the cache.
            result[image, :, position] = lanes.reshape(image.stop - image.start, -1, layer.outputs).swapaxes(1, 2)
        if notice is not None and layer.root.requantise is not None:
            notice(clipped, result.size)
        return result.reshape(batch, -1)

    def _index(self, elements: int) -> list[NDArray[np.intp]]:
        """What each product takes at each position, of a value of so many elements: (positions, inputs)."""
        if elements not in self._indices:
            patches = padded(self.call.patches, self.call.pad, elements)[1].astype(np.intp)
            last = np.full((len(patches), 1), elements + len(self._beyond) - 1, dtype=np.intp)
            # Contiguous: what is taken from columns need not be, and each block is made flat.
            places = [np.ascontiguousarray(np.hstack([patches[:, p.inputs], last])) for p in self._products]
            self._indices = {elements: places}
        return self._indices[elements]


class _Product:
    """A product of a layer: which of the layer's inputs it takes, and what takes its codes."""

    def __init__(self, layer: Layer, mvm: Mvm, core: MacroModel, masks: Masks) -> None:
        self.mvm = mvm
        self.inputs, places = taken_inputs(mvm.taken(layer.spread))
        self.bound = core.bind(mvm.op, masks, mvm.rows, places, len(self.inputs) + 1, mvm.columns)
        self.leaves = LeafSum(mvm.multiplier, mvm.outputs, layer.shift)


def taken_inputs(rows: Indices) -> tuple[Indices, NDArray[np.intp]]:
    """Inputs of a layer that some of its rows take, and which of them each does; the constant is last."""
    inputs = np.unique(rows[rows != DITHER])
    return inputs, np.where(rows == DITHER, len(inputs), np.searchsorted(inputs, rows))


def _blocks(batch: int, positions: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Images and positions of each block: several whole images, or part of one."""
    if positions >= size:
        pieces = -(-positions // size)
        edges = [positions * k // pieces for k in range(pieces + 1)]
        for image in range(batch):
            for k in range(pieces):
                yield slice(image, image + 1), slice(edges[k], edges[k + 1])
        return
    images = size // positions
    for image in range(0, batch, images):
        yield slice(image, min(image + images, batch)), slice(0, positions)
