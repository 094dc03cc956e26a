"""Values that are one pixel of an image each, as steps of a recurrent cell take what a layer made of all inputs."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mho.compiler.program import Program
from mho.compiler.tile.graph.graph import Value
from mho.compiler.tile.graph.images import FEWEST
from mho.macro_models.integer.vector import Select

__all__ = ["single_pixels"]


def single_pixels(
    program: Program, values: Sequence[Value], results: Collection[int]
) -> tuple[Mapping[int, tuple[int, int]], frozenset[int]]:
    """Values that are pixels of others, each with that value and which pixel; and those that are only on the way there.

    ``values`` are those of the program as tiles hold them; the host takes ``results``.
    """
    sources = {v: pixel for v in range(1, len(values)) if (pixel := _pixel(program, values, v)) is not None}
    several = {source for source, _ in sources.values()}
    pixels = {v: pixel for v, pixel in sources.items()
              if len({p for source, p in sources.values() if source == pixel[0]}) >= FEWEST}
    takers: dict[int, list[int]] = {}
    for k, stage in enumerate(program.stages):
        for v in stage.inputs:
            takers.setdefault(v, []).append(k + 1)
    between = frozenset(
        v for v in takers if v not in results and v not in pixels and v and v not in several
        and isinstance(program.stages[v - 1].operation, Select) and all(w in pixels for w in takers[v]))
    return pixels, between


def _pixel(program: Program, values: Sequence[Value], value: int) -> tuple[int, int] | None:
    """Of which value of several pixels a value is one, and which."""
    index: NDArray[np.int32] | None = None
    source = value
    while source and isinstance(op := program.stages[source - 1].operation, Select):
        inputs = program.stages[source - 1].inputs
        if len(inputs) != 1 or (op.index < 0).any() or op.index.ndim != 1:
            break
        index = op.index if index is None else op.index[index]
        source = inputs[0]
    if index is None or values[source].image.pixels < FEWEST or values[value].image.pixels > 1:
        return None
    image, whole, part = values[source].image, values[source], values[value]
    alike = (whole.wide, whole.signed) == (part.wide, part.signed)
    elements = np.arange(image.channels) * image.pixels + index[0]
    return (source, int(index[0])) if alike and np.array_equal(index, elements) else None
