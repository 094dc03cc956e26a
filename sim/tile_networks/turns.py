"""Runs of networks whose layers are dealt images: programs of tiles begin them with the first copy."""

import numpy as np
from numpy.typing import NDArray

from mho.compiler.program import Program
from mho.compiler.types import Lanes


def from_first_turn(
    program: Program, lanes: Lanes, images: NDArray[np.integer]
) -> tuple[Lanes, NDArray[np.integer], int]:
    """Images with as many before them that each copy of a layer has those with its number, and how many these are.

    Their inputs are 0, and nobody wants their results; there are none where no layer is dealt images.
    """
    more = int(images[0]) % program.period
    if not more:
        return lanes, images, 0
    before = np.arange(int(images[0]) - more, int(images[0])).astype(images.dtype)
    return np.vstack([np.zeros((more, lanes.shape[1]), np.int16), lanes]), np.concatenate([before, images]), more
