"""What the cores of a network hold, and how a network file says it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.compiler.mapping import Placement
from mho.compiler.network.file.archive import Arrays
from mho.compiler.types import Float

__all__ = ["CoreImage", "read_core", "write_core"]


@dataclass(frozen=True, kw_only=True)
class CoreImage:
    """What one core holds.

    ``targets_uS`` has shape (lines, lines), ``[bl, sl]``; ``word_lines`` and ``converted_lines`` (8, lines);
    ``bl_skip`` and ``sl_skip`` (lines,). Cells that no weight uses have the chip's g_min: the masks keep them out of
    every sum. ``faulty``, (lines, lines), are cells that were known to be faulty when the network was compiled, None
    if none were: their targets are what they hold.
    """

    targets_uS: NDArray[np.float32]
    word_lines: NDArray[np.bool_]
    converted_lines: NDArray[np.bool_]
    bl_skip: NDArray[np.bool_]
    sl_skip: NDArray[np.bool_]
    faulty: NDArray[np.bool_] | None = None

    @classmethod
    def from_placement(
        cls, placement: Placement, core: int, targets_uS: NDArray[np.float32], g_uS: Float | None = None
    ) -> "CoreImage":
        """The image of a core; ``g_uS`` holds what faulty cells have, NaN elsewhere."""
        bl_skip, sl_skip = placement.dead_lines(core)
        faulty = None
        if g_uS is not None and not np.isnan(g_uS).all():
            faulty = ~np.isnan(g_uS)
            targets_uS = np.where(faulty, g_uS, targets_uS).astype(np.float32)
        return cls(
            targets_uS=targets_uS,
            word_lines=placement.word_lines(core),
            converted_lines=placement.converted_lines(core),
            bl_skip=bl_skip,
            sl_skip=sl_skip,
            faulty=faulty,
        )


def write_core(core: CoreImage, prefix: str, put: Any) -> None:
    """The arrays of a core, given to ``put`` by names that begin with ``prefix``."""
    for name in ("targets_uS", "word_lines", "converted_lines", "bl_skip", "sl_skip"):
        put(f"{prefix}.{name}", getattr(core, name))
    if core.faulty is not None:
        put(f"{prefix}.faulty", core.faulty)


def read_core(k: int, shape: tuple[int, int], arrays: Arrays) -> CoreImage:
    """Core ``k``, whose rows and columns of cells are ``shape``."""
    def flags(name: str, *shape: int) -> NDArray[np.bool_]:
        return arrays.take(f"core{k}.{name}", np.bool_, shape)

    driven, converted = shape
    return CoreImage(
        targets_uS=arrays.take(f"core{k}.targets_uS", np.float32, shape, 0, 1e6),
        word_lines=flags("word_lines", 8, driven), converted_lines=flags("converted_lines", 8, converted),
        bl_skip=flags("bl_skip", driven), sl_skip=flags("sl_skip", converted),
        faulty=flags("faulty", *shape) if f"core{k}.faulty" in arrays else None,
    )
