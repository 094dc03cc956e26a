"""Steps of recurrent cells that do the same, which are calibrated together.

A recurrent cell is written out: its layers are called again and again, and between two calls are the steps of a cell.
Where those are the same operators in the same order, each has the units of all: then tiles do the same at every step,
and their program is a loop.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from mho.compiler.model import FloatNetwork
from mho.compiler.model.stages import Combine, Evaluated, Linear, Map, Step
from mho.compiler.types import Float

__all__ = ["Alike"]


ROWS = 8192
"""Numbers of an element of which ranges come, of all steps together."""


class Alike:
    """The steps of a network that are alike.

    Parameters
    ----------
    network
        The network.
    wanted
        The values of the network in floating point; those of steps before the first of some alike may be gone.
    """

    def __init__(self, network: FloatNetwork, activations: Sequence[Float]) -> None:
        self._steps, self._wanted = network.steps, activations
        self._of: dict[int, tuple[int, ...]] = {}
        self._seen: dict[int, tuple[list[Float], Float]] = {}
        for calls in network.calls:
            blocks: dict[tuple[object, ...], list[int]] = {}
            for first, end in pairwise(calls):
                blocks.setdefault(tuple(map(_kind, self._steps[first:end])), []).append(first)
            for kinds, firsts in blocks.items():
                for at in range(len(kinds)):
                    self._of |= dict.fromkeys([first + at for first in firsts], tuple(first + at for first in firsts))

    def of(self, k: int) -> tuple[int, ...]:
        """Steps like step ``k``, itself among them."""
        return self._of.get(k, (k,))

    def seen(self, k: int) -> tuple[list[Float], Float]:
        """What steps like step ``k`` take and make, in floating point: of each input and of the result (rows, ..)."""
        steps = self.of(k)
        if len(steps) == 1:
            return [self._wanted[v] for v in self._steps[k].inputs], self._wanted[k + 1]
        if steps[0] not in self._seen:
            inputs = [self._together([self._steps[j].inputs[n] for j in steps])
                      for n in range(len(self._steps[k].inputs))]
            self._seen[steps[0]] = inputs, self._together([j + 1 for j in steps])
        values = self._seen[steps[0]]
        if k == steps[-1]:
            del self._seen[steps[0]]
        return values

    def _together(self, values: Sequence[int]) -> Float:
        every = -(-len(values) * len(self._wanted[values[0]]) // ROWS)
        return np.concatenate([self._wanted[v][::every] for v in values])


def _kind(step: Step) -> tuple[object, ...]:
    """What a step does, but for the values that it takes."""
    op = step.operation
    if isinstance(op, Linear):
        return (Linear, id(op.layer), len(op.patches))
    if isinstance(op, Evaluated):
        return (Evaluated, op.operators, op.dims, op.size, len(step.inputs))
    if isinstance(op, Combine):
        return (Combine, op.index.tobytes(), op.coefficient.tobytes(), op.offset.tobytes())
    if isinstance(op, Map):
        return (Map, op.function, op.size)
    return (type(op), op.size if hasattr(op, "size") else 0)
