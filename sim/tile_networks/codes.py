"""Output codes of products, from what was seen at the cores of tiles."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mho.compiler.program import Call, Mvm, Program
from mho.compiler.types import Lanes
from mho.macro_models.errors import ToolError

__all__ = ["SeenCodes"]

_PER_WORD = 2


class SeenCodes:
    """The codes of all products of a run.

    Parameters
    ----------
    program
        What ran.
    first, images
        Number of the first image, and how many there were.
    ops, words
        Of each core the numbers of its operations, in their order, and the words of results that it gave.

    Raises
    ------
    ToolError
        If a core gave other words than its operations have.
    """

    def __init__(
        self, program: Program, first: int, images: int, ops: Sequence[NDArray[np.uint64]],
        words: Sequence[NDArray[np.uint32]],
    ) -> None:
        self._first, self._images = first, images
        self._found: dict[int, Lanes] = {}
        for core, numbers in enumerate(ops):
            if len(numbers):
                self._add(program, core, numbers, words[core])

    def _add(
        self, program: Program, core: int, numbers: NDArray[np.uint64], words: NDArray[np.uint32]
    ) -> None:
        operation = (numbers & np.uint64(0xFFFFFFFF)).astype(np.int64)
        image = (numbers >> np.uint64(32)).astype(np.int64) - self._first
        bounds = np.zeros((len(numbers), 2), np.int64)
        products = []
        for mvm, per_position, positions in _products(program, core):
            place, left = np.divmod(operation - mvm.operation, per_position)
            product_rows = np.flatnonzero((left == 0) & (place >= 0) & (place < positions))
            bounds[product_rows] = mvm.columns.min() // _PER_WORD, mvm.columns.max() // _PER_WORD + 1
            products.append((mvm, positions, product_rows, image[product_rows] * positions + place[product_rows]))
        widths = bounds[:, 1] - bounds[:, 0]
        if len(words) == len(numbers) * (len(words) // len(numbers)) and len(words) != widths.sum():
            # The core gives all of its words, whatever its operation names.
            widths = np.full(len(numbers), len(words) // len(numbers))
            bounds[:, 0] = 0
        ends = np.cumsum(widths)
        if not len(ends) or ends[-1] != len(words):
            raise ToolError(f"core {core} gave {len(words)} words of results for {len(numbers)} operations")
        codes = words.astype("<u4").view("<i2")
        for mvm, positions, product_rows, rows in products:
            stored = self._found.setdefault(
                mvm.operation, np.zeros((self._images * positions, len(mvm.columns)), np.int16))
            starts = _PER_WORD * (ends[product_rows] - widths[product_rows] - bounds[product_rows, 0])
            inside = rows < len(stored)
            stored[rows[inside]] = codes[starts[inside, None] + mvm.columns[None]]

    def of(self, mvm: Mvm, images: NDArray[np.integer]) -> Lanes:
        """Codes of a product of the images with some numbers, (images * positions, columns)."""
        stored = self._found[mvm.operation]
        places = images.astype(np.int64) - self._first
        return stored.reshape(self._images, -1, stored.shape[1])[places].reshape(-1, stored.shape[1])


def _products(program: Program, core: int) -> Iterator[tuple[Mvm, int, int]]:
    """Products of a core: their distance in numbers from position to position, and their positions."""
    for stage in program.stages:
        call = stage.operation
        if isinstance(call, Call):
            layer = program.layers[call.layer]
            for mvm in layer.mvms:
                if mvm.core == core:
                    yield mvm, layer.conversions, layer.positions
