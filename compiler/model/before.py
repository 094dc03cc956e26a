"""Steps that the host does on the input in the units of the model, before it is quantised."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mho.compiler.model.evaluated import Evaluated
from mho.compiler.model.stages import Linear, Step
from mho.compiler.types import Float


@dataclass(frozen=True, kw_only=True)
class Before:
    """Steps of a network that are done first, in double precision.

    ``steps`` are all steps of the network, ``numbers`` those that are done here, in order; ``values`` are the numbers
    of the values that others take, 0 for the network's input, k for what step k - 1 makes: quantised side by side.
    """

    steps: tuple[Step, ...]
    numbers: tuple[int, ...]
    values: tuple[int, ...]

    def __post_init__(self) -> None:
        available = {0}
        for k in self.numbers:
            if not 0 <= k < len(self.steps) or k + 1 in available or not available.issuperset(self.steps[k].inputs):
                raise ValueError(f"step {k} cannot be done before the layers")
            if isinstance(self.steps[k].operation, Linear):
                raise ValueError(f"step {k} is a layer, which is not done before the layers")
            available.add(k + 1)
        if not self.values or len(set(self.values)) < len(self.values) or not available.issuperset(self.values):
            raise ValueError(f"values {list(self.values)} are not all made before the layers")

    def each(self, x: Float) -> list[Float]:
        """The values that others take, each (batch, elements), for inputs of shape (batch, features)."""
        values = {0: x}
        for k in self.numbers:
            inputs = np.concatenate([values[v] for v in self.steps[k].inputs], axis=1)
            values[k + 1] = self.steps[k].operation.compute(inputs)
        return [values[v] for v in self.values]

    def compute(self, x: Float) -> Float:
        """The same side by side: (batch, all elements)."""
        return np.concatenate(self.each(x), axis=1)

    @property
    def operators(self) -> str:
        """What is done, as it is named."""
        ops = [self.steps[k].operation for k in self.numbers]
        return " ".join(name for op in ops if isinstance(op, Evaluated) for name in op.operators)


def steps_before_layers(steps: Sequence[Step]) -> tuple[int, ...]:
    """All steps that depend on no layer: candidates."""
    available, candidates = {0}, []
    for k, step in enumerate(steps):
        if not isinstance(step.operation, Linear) and available.issuperset(step.inputs):
            available.add(k + 1)
            candidates.append(k)
    return tuple(candidates)


def before_of(steps: tuple[Step, ...], numbers: Sequence[int]) -> Before:
    """With the values that steps behind take, or that are the last."""
    available = {0, *(k + 1 for k in numbers)}
    needed = {v for k, step in enumerate(steps) if k not in set(numbers) for v in step.inputs} | {len(steps)}
    return Before(steps=steps, numbers=tuple(numbers), values=tuple(sorted(available & needed)))
