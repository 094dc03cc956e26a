"""From operations, masks and vectors to the words of a core's streams, and back."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.core.layout import OpLayout, pack
from mho.hw.core.masks import BL_SKIP, LINE_MASK, SL_SKIP, WL_MASK, MaskFile
from mho.hw.core.shape import CoreShape
from mho.macro_models import MacroModel, Masks
from mho.macro_models.integer.operation import MvmOperation
from mho.sim.core.batch import OP_WORDS

_OP_ID_BIT = OpLayout()["op_id"].offset


def op_words(op: MvmOperation, op_id: ArrayLike) -> NDArray[np.uint32]:
    """Descriptors of one operation for each number in ``op_id``: shape (operations, OP_WORDS)."""
    ids = np.atleast_1d(np.asarray(op_id, dtype=np.uint64))
    fixed = pack(op, 0)
    words = np.empty((len(ids), OP_WORDS), dtype=np.uint64)
    for k in range(OP_WORDS):
        shift = 32 * k - _OP_ID_BIT
        part = np.uint64(fixed >> 32 * k & 0xFFFFFFFF)
        if -32 < shift <= 0:
            words[:, k] = ids << np.uint64(-shift)
        elif 0 < shift < 64:
            words[:, k] = ids >> np.uint64(shift)
        else:
            words[:, k] = 0
        words[:, k] |= part
    return words.astype(np.uint32)


def reserved_words(op: MvmOperation) -> NDArray[np.uint32]:
    """A descriptor with a reserved mode, which the core drops: shape (1, OP_WORDS)."""
    words = op_words(op, 0)
    bit = OpLayout()["mode"].offset
    words[0, bit // 32] |= np.uint32(1 << bit % 32)
    return words


def input_words(x: NDArray[np.integer]) -> NDArray[np.uint32]:
    """Input stream of vectors of shape (operations, codes): four 8-bit codes a word, lowest byte first."""
    return np.ascontiguousarray(x.astype(np.uint8)).reshape(-1).view("<u4").astype(np.uint32, copy=False)


def output_codes(words: NDArray[np.uint32], lines: int) -> NDArray[np.int16]:
    """Codes of shape (operations, lines) from the output stream: two 16-bit signed codes a word, lowest first."""
    return (
        np.ascontiguousarray(words.astype("<u4", copy=False))
        .view("<i2")
        .reshape(-1, lines)
        .astype(np.int16, copy=False)
    )


class MaskImage:
    """What the mask memory of the simulated core holds, so that only words that change are written."""

    def __init__(self, cfg: CoreShape) -> None:
        self.file = self.new_file(cfg)

    def new_file(self, cfg: Any) -> MaskFile:
        """What the memory holds after reset."""
        return MaskFile(cfg)

    def settings(self, model: Any) -> list[tuple[int, int]]:
        """(address, data) of other words for a model: none."""
        return []

    def update(self, op: MvmOperation, masks: Masks, model: MacroModel | None = None) -> NDArray[np.uint32]:
        """(address, data) of the words that bring the masks of ``op`` to ``masks``: shape (words, 2).

        ``model`` is what is behind the pins, if that is known, for kinds whose core has registers of its own for it.
        """
        parts = (
            (WL_MASK + op.wl_select, masks.wl[op.wl_select]),
            (LINE_MASK + op.line_select, masks.lines[op.line_select]),
            (BL_SKIP, masks.bl_skip),
            (SL_SKIP, masks.sl_skip),
        )
        writes: list[tuple[int, int]] = []
        for mask, value in parts:
            if np.array_equal(self.file.masks[mask, : len(value)], value):
                continue
            present = dict(self.file.words(mask, self.file.masks[mask]))
            writes += [(a, word) for a, word in self.file.words(mask, np.asarray(value)) if present[a] != word]
        writes += self.settings(model)
        for address, word in writes:
            self.file.write(address, word)
        return np.array(writes, dtype=np.uint32).reshape(-1, 2)
