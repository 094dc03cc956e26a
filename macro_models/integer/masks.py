"""The masks of a core, and the lines that they switch on in an operation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Direction, MvmOperation

__all__ = ["MASK_SLOTS", "Masks"]

MASK_SLOTS = 8
"""Word-line masks, and masks of converted lines, that a core holds."""


@dataclass(frozen=True, eq=False)
class Masks:
    """The masks of a core, as boolean arrays; an operation selects one of eight word-line and one of eight line masks.

    A single mask of shape (lines,) given for ``wl`` or ``lines`` fills all its slots.

    Raises
    ------
    InputError
        If a shape is wrong.
    """

    wl: NDArray[np.bool_]
    """Word lines that are on, of shape (8, driven lines)."""
    lines: NDArray[np.bool_]
    """Converted lines that are enabled, of shape (8, converted lines)."""
    bl_skip: NDArray[np.bool_]
    """Dead bit lines, of shape (driven lines,)."""
    sl_skip: NDArray[np.bool_]
    """Dead source lines, of shape (converted lines,); as many as bit lines where products go both ways."""

    def __post_init__(self) -> None:
        driven, converted = (np.shape(skip)[-1] if np.ndim(skip) else 0 for skip in (self.bl_skip, self.sl_skip))
        shapes = {
            "wl": (MASK_SLOTS, driven), "lines": (MASK_SLOTS, converted), "bl_skip": (driven,), "sl_skip": (converted,),
        }
        for name, shape in shapes.items():
            mask, n = np.asarray(getattr(self, name), dtype=bool), shape[-1]
            if mask.shape not in (shape, (n,)) or n == 0:
                raise InputError(f"mask {name} must have shape {shape}, not {mask.shape}")
            object.__setattr__(self, name, np.ascontiguousarray(np.broadcast_to(mask, shape)))

    @classmethod
    def reset(cls, lines: int, converted: int | None = None) -> "Masks":
        """The masks after reset: word lines on, lines enabled, nothing skipped; ``converted`` lines if not as many."""
        driven, outputs = (np.ones(count, dtype=bool) for count in (lines, lines if converted is None else converted))
        return cls(driven, outputs, ~driven, ~outputs)

    def without(self, driven: NDArray[np.bool_], converted: NDArray[np.bool_]) -> "Masks":
        """These, with more lines that are dead."""
        return Masks(self.wl, self.lines, self.bl_skip | driven, self.sl_skip | converted)

    @property
    def rows(self) -> NDArray[np.bool_]:
        """All eighteen masks in the order of the core's registers, of shape (18, lines); of a square array."""
        return np.concatenate([self.wl, self.lines, self.bl_skip[None], self.sl_skip[None]])

    def word_lines(self, op: MvmOperation) -> NDArray[np.bool_]:
        """Word lines that are on in an operation."""
        return self.wl[op.wl_select] & ~self.bl_skip

    def driven(self, op: MvmOperation) -> NDArray[np.bool_]:
        """Driven lines that take an input; the others are driven with 0."""
        return self.word_lines(op) if op.direction is Direction.FORWARD else ~self.sl_skip

    def enabled(self, op: MvmOperation) -> NDArray[np.bool_]:
        """Lines that an operation converts; the others give 0 and early stop does not wait for them."""
        if op.direction is Direction.FORWARD:
            return self.lines[op.line_select] & ~self.sl_skip
        return self.lines[op.line_select] & self.word_lines(op)
