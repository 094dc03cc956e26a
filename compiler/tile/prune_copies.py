"""How many copies of layers are worth their tiles: what the cycle model predicts decides.

:mod:`mho.compiler.tile.duplicates` makes copies until the busiest array has as little to do as it can have. Where an
image takes longer than that all the same, since something else holds it up, the last of those copies gain nothing.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from mho.compiler.network import Network
from mho.macro_models.errors import InputError

__all__ = ["Judge", "prune_copies"]

Judge = Callable[[Network], float]
"""Cycles of an image in the steady state; raises InputError if a network finds no room on the tiles."""
NOTHING = 0.01
"""What an image may take longer with fewer copies."""


def prune_copies(made: Callable[[int, float], Network], most: int, layers: int, judge: Judge | None) -> Network:
    """The network with as many copies of layers as gain something.

    Parameters
    ----------
    made
        The network with so many copies of a layer at most, and none that would let the busiest array do less than so
        many cycles.
    most
        Copies of a layer, at most.
    layers
        Layers without copies.
    judge
        What an image takes; None: as many copies as there may be.
    """
    best, refused = made(most, 0.0), ""
    if judge is None:
        return best
    cycles = 0.0
    while len(best.program.layers) > layers:
        try:
            cycles = judge(best)
            break
        except InputError as error:
            most, refused = most - 1, f"layers have at most {most - 1} tiles in turn, since with more {error}"
            best = made(most, 0.0)
    while layers < len(best.program.layers) > len((fewer := made(most, cycles)).program.layers):
        with suppress(InputError):
            other = judge(fewer)
            if other <= (1 + NOTHING) * cycles:
                best, cycles = fewer, other
                continue
        break
    held = best.calibration
    return replace(best, calibration={**held, "warnings": [refused, *held["warnings"]]}) if refused else best
