"""The masks that one operation uses, and which lines they switch on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from macro_models.exact.operation import Direction

__all__ = ["Masks"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Masks:
    """Masks of one operation, boolean arrays of shape (lines,).

    Parameters
    ----------
    wl
        Word lines that are on.
    lines
        Converted lines that are on (source lines forward, bit lines backward).
    bl_skip, sl_skip
        Dead bit lines and source lines.
    """

    wl: NDArray[np.bool_]
    lines: NDArray[np.bool_]
    bl_skip: NDArray[np.bool_]
    sl_skip: NDArray[np.bool_]

    @classmethod
    def default(cls, lines: int) -> "Masks":
        """The masks after reset: every line is on, none is dead."""
        return cls(
            wl=np.ones(lines, np.bool_),
            lines=np.ones(lines, np.bool_),
            bl_skip=np.zeros(lines, np.bool_),
            sl_skip=np.zeros(lines, np.bool_),
        )

    @property
    def word_lines(self) -> NDArray[np.bool_]:
        """Word lines that are pulsed: on, and their bit line is not dead."""
        return self.wl & ~self.bl_skip

    def driven(self, direction: Direction) -> NDArray[np.bool_]:
        """Driven lines that take an input; the others are driven with 0."""
        return ~self.sl_skip if direction is Direction.BACKWARD else self.word_lines

    def enabled(self, direction: Direction) -> NDArray[np.bool_]:
        """Converted lines that give a code; the others give 0 and early stop does not wait for them."""
        if direction is Direction.BACKWARD:
            return self.lines & self.word_lines
        return self.lines & ~self.sl_skip
