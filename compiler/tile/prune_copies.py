"""How many copies of layers are worth their tiles: what the cycle model predicts decides.

:mod:`mho.compiler.tile.duplicates` makes copies until the busiest array has as little to do as it can have. Where an
image takes longer than that all the same, since something else holds it up, the last of those copies gain nothing.
"""

from collections.abc import Callable
from dataclasses import replace

from mho.compiler.network import Network
from mho.compiler.tile.refusal import Refusal

__all__ = ["Judge", "prune_copies"]

Judge = Callable[[Network], float | Refusal]
"""Cycles of an image in the steady state, or why a network finds no room on the tiles."""

SLOWER = 0.01
"""What an image may take longer with fewer copies."""


def prune_copies(
    copied: Callable[[int, float], Network], limit: int, layers: int, judge: Judge | None
) -> Network:
    """The network with as many copies of layers as gain something.

    Parameters
    ----------
    copied
        The network with so many copies of a layer at most, and none that would let the busiest array do less than so
        many cycles.
    limit
        Copies of a layer, at most.
    layers
        Layers without copies.
    judge
        What an image takes; None: as many copies as there may be.
    """
    best, refused = copied(limit, 0.0), ""
    if judge is None:
        return best
    cycles: float | Refusal = 0.0
    while len(best.program.layers) > layers and isinstance(cycles := judge(best), Refusal):
        limit, refused = limit - 1, f"layers have at most {limit - 1} tiles in turn, since with more {cycles.sentence}"
        best, cycles = copied(limit, 0.0), 0.0
    while layers < len(best.program.layers) > len((fewer := copied(limit, cycles)).program.layers):
        slower = judge(fewer)
        if isinstance(slower, Refusal) or slower > (1 + SLOWER) * cycles:
            break
        best, cycles = fewer, slower
    if not refused:
        return best
    return replace(best, calibration=replace(best.calibration, warnings=(refused, *best.calibration.warnings)))
