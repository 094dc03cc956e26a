"""Parts of a layer by its outputs: products that add up to the same ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from mho.compiler.program import Layer, Mvm
from mho.hw.tile.isa import ACCUMULATORS
from mho.macro_models.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Part:
    """``count`` outputs from ``first`` on, and the products that make them."""

    first: int
    count: int
    mvms: tuple[Mvm, ...]

    @property
    def cores(self) -> set[int]:
        """Cores that hold its weights."""
        return {mvm.core for mvm in self.mvms}


def parts_of(layer: Layer) -> Sequence[Part]:
    """The parts of a layer, in the order of their outputs; those of one tile are one.

    Raises InputError if products share some of their outputs and not others.
    """
    by_columns: dict[tuple[int, int], list[Mvm]] = {}
    for mvm in layer.mvms:
        by_columns.setdefault((int(mvm.outputs.min()), int(mvm.outputs.max()) + 1), []).append(mvm)
    ends = sorted(by_columns)
    if [a for a, _ in ends] != [0, *(b for _, b in ends[:-1])] or ends[-1][1] != layer.outputs:
        raise InputError(f"layer {layer.name!r} must be cut between its outputs for tiles")
    parts: list[Part] = []
    for a, b in ends:
        part = Part(first=a, count=b - a, mvms=tuple(by_columns[a, b]))
        last = parts[-1] if parts else None
        if last is not None and len(last.cores | part.cores) == 1 and last.count + part.count <= ACCUMULATORS:
            parts[-1] = Part(first=last.first, count=last.count + part.count, mvms=(*last.mvms, *part.mvms))
        else:
            parts.append(part)
    return parts
