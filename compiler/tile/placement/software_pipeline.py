"""Nodes of a tile that are an image ahead of the others, so that its array does not wait for what follows them.

A tile does images one after the other. Where a layer on it takes what other tiles, or its own vectors, make of an
earlier layer on it, the array waits for that in each image. Here products of the earlier layer are of the next image
meanwhile: software pipelining with a distance of one image. A run of n images is then

* the nodes that are ahead, for the first image;
* n - 1 times both: those that are ahead for the next image, the others for this one;
* the others, for the last image.

How often the middle comes is what the host says with the number of images.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mho.compiler.tile.placement.order import MOST_AHEAD, Part
from mho.compiler.tile.placement.streams import Placed, tile_name
from mho.hw.config import Chip

Cuts = Mapping[str, int]
"""Of tiles that have some: the first node that is not ahead."""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """What a tile does: numbers of nodes with their parts, as of :func:`mho.compiler.tile.placement.order.firings`."""

    first: tuple[int, ...]
    both: tuple[int, ...]
    last: tuple[int, ...]


Spans = Sequence[Mapping[int, tuple[int, int]]]
"""Of each image of a run: when the nodes of a tile, and their parts, fire first and last."""
RUN = 3
"""Images of a run in which every order of two images is there."""


def tile_pipeline(placed: Placed, chip: Chip, tile: str, order: Sequence[int], cut: int) -> Pipeline:
    """:func:`pipeline` of a tile."""
    products = {k: [mvm for part in parts for mvm in part.mvms if tile_name(chip, mvm.core) == tile]
                for k, parts in placed.parts.items()}
    single = [k for k, mvms in products.items() if len(mvms) == 1]
    return pipeline(order, len(placed.graph.nodes), cut, placed.parts, single)


def spans_of(order: Sequence[int], nodes: int, images: int, cut: int = 0, ahead: Pipeline | None = None) -> Spans:
    """When what a tile does in an ``order`` fires, in a run of so many images; with those before ``cut`` ``ahead``."""
    run = [(image, number) for image in range(images) for number in order]
    if ahead is not None:
        both = [(image + (number % nodes < cut), number) for image in range(images - 1) for number in ahead.both]
        run = [*((0, number) for number in ahead.first), *both, *((images - 1, number) for number in ahead.last)]
    spans: list[dict[int, tuple[int, int]]] = [{} for _ in range(images)]
    for at, (image, number) in enumerate(run):
        # Of a node with parts also the place of each.
        for k in {number, number % nodes}:
            spans[image][k] = spans[image].get(k, (at, at))[0], at
    return spans


def both_sides(members: Sequence[tuple[str, ...]], layers: Sequence[int], cut: int) -> list[str]:
    """Tiles that have ``layers`` before node ``cut`` and behind it."""
    before, behind = ({tile for k in layers if (k < cut) == early for tile in members[k]} for early in (True, False))
    return sorted(before & behind)


def pipeline(order: Sequence[int], nodes: int, cut: int, layers: Collection[int], single: Collection[int]) -> Pipeline:
    """The order of a tile in an image with what is before node ``cut`` an image ahead.

    Parameters
    ----------
    order
        Numbers of nodes with their parts.
    nodes
        How many nodes there are.
    cut
        The first node that is not ahead.
    layers, single
        Nodes of layers; those of which the tile has one product, which may begin before another one is finished.
    """
    ahead = [number for number in order if number % nodes < cut]
    rest = [number for number in order if number % nodes >= cut]
    both = _Merge(nodes, layers, [_apart(ahead, nodes, single), _apart(rest, nodes, single)]).order()
    return Pipeline(first=tuple(ahead), both=tuple(both), last=tuple(rest))


def _apart(order: Sequence[int], nodes: int, single: Collection[int]) -> list[int]:
    """With products that may begin ahead in parts of their own."""
    numbers: list[int] = []
    for number in order:
        parts = (Part.PRODUCTS, Part.REST) if number in single else (0,)
        numbers += [number + nodes * part for part in parts]
    return numbers


class _Merge:
    """Two orders as one: each is as far as the other, counted in products, the second one behind the first.

    A tile drains products as they were begun, and has begun two at most. A product may come later than in its own
    order, behind what finishes others.
    """

    def __init__(self, nodes: int, layers: Collection[int], sides: list[list[int]]) -> None:
        self._nodes, self._layers, self._left = nodes, layers, sides
        self._products = [sum(self._begins(number) for number in side) for side in sides]
        self._begun = [0, 0]
        self._pending: list[int] = []

    def order(self) -> list[int]:
        """Until nothing is left."""
        merged: list[int] = []
        while any(self._left):
            # What is behind comes first: the second order, unless its next product is not due.
            sides = (1, 0) if self._due() else (0, 1)
            side, at = next((side, at) for side in sides if (at := self._next(side)) is not None)
            merged.append(number := self._left[side].pop(at))
            self._fire(side, number)
        return merged

    def _due(self) -> bool:
        if not self._left[1] or not self._left[0]:
            return bool(self._left[1])
        following = self._begun[1] + any(self._begins(number) for number in self._left[1])
        return following * self._products[0] <= self._begun[0] * max(self._products[1], 1)

    def _next(self, side: int) -> int | None:
        """Place of what may come next of an order."""
        for at, number in enumerate(self._left[side]):
            if self._may(number):
                return at
            if number // self._nodes != Part.PRODUCTS:
                break
        return None

    def _may(self, number: int) -> bool:
        part, node = number // self._nodes, number % self._nodes
        if part == Part.PRODUCTS:
            return len(self._pending) < MOST_AHEAD
        if part == Part.REST:
            return self._pending[:1] == [node]
        return not self._pending or not self._begins(number)

    def _begins(self, number: int) -> bool:
        return number // self._nodes == Part.PRODUCTS or number in self._layers

    def _fire(self, side: int, number: int) -> None:
        part, node = number // self._nodes, number % self._nodes
        self._begun[side] += self._begins(number)
        if part == Part.PRODUCTS:
            self._pending.append(node)
        elif part == Part.REST:
            self._pending.pop(0)
