"""The tile graph of a program: nodes that fire once a position, and the values that go between them.

A node begins with a layer, with pooling or with a value that comes in, and has what is done to each pixel behind it:
encoding, limits, tables, products, sums with values of other nodes at the same pixel. A node that is whole has all
pixels of an image at a time.
"""

from dataclasses import dataclass

from mho.compiler.program import Call, Program
from mho.compiler.tile.graph.host import Split
from mho.compiler.tile.lowering.geometry import Image
from mho.compiler.tile.lowering.operations import Vector
from mho.compiler.tile.lowering.vectors import copied
from mho.hw.tile.isa import Format
from mho.hw.tile.isa.window import SlidingWindow


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value between stages: its image, and how an element is held."""

    image: Image
    wide: bool
    signed: bool = True

    @property
    def width(self) -> int:
        """Bytes of an element."""
        return 2 if self.wide else 1

    @property
    def block(self) -> int:
        """Bytes of a pixel."""
        return self.image.channels * self.width

    @property
    def copy(self) -> Vector:
        """An operation that leaves it as it is."""
        low, high = (-32768, 32767) if self.wide else (-128, 127) if self.signed else (0, 255)
        return copied(low, high)

    @property
    def format(self) -> Format:
        """How a vector operation reads it."""
        return Format.LANE if self.wide else Format.SIGNED if self.signed else Format.UNSIGNED


@dataclass(frozen=True, kw_only=True)
class Node:
    """What fires once a position of ``walk``.

    ``head`` is the stage of the layer or pooling that it begins with, None if it has none; ``source`` the value that
    ``head`` takes by ``walk``. ``values`` are what it makes, in order; ``joins`` those of other nodes that it takes,
    pixel by pixel or, of a single pixel, ever the same one. A ``whole`` one fires once for all pixels of an image. With
    ``turns`` its pixels come from several values, which are the first that it takes: from which one each. A ``dealt``
    one takes of so many values, the first ones, those of one in each image; one that ``deals`` gives each image to one
    of so many nodes. With ``pixels`` each of its values is one pixel of ``source``: which one.
    """

    head: int | None
    source: int
    walk: SlidingWindow
    values: tuple[int, ...]
    joins: tuple[int, ...] = ()
    whole: bool = False
    turns: tuple[int, ...] = ()
    dealt: int = 0
    deals: int = 0
    pixels: tuple[int, ...] = ()

    def made_at(self, value: int) -> int | None:
        """At which position a value is made that is one pixel of its source, None if it is none."""
        return self.pixels[self.values.index(value)] if self.pixels else None

    @property
    def sources(self) -> tuple[int, ...]:
        """Values of which it takes pixels in turn, none otherwise."""
        return self.taken[: max(self.turns) + 1 if self.turns else self.dealt]

    @property
    def taken(self) -> tuple[int, ...]:
        """Values that come from outside."""
        return (self.source, *self.joins)

    @property
    def firings(self) -> int:
        """How often it fires for an image."""
        return 1 if self.whole else self.walk.positions


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Nodes in the order of the program, all values by their numbers, and what the host does."""

    program: Program
    split: Split
    nodes: tuple[Node, ...]
    values: tuple[Value, ...]

    def layer_before(self, value: int) -> str:
        """Name of the layer that makes a value, or behind which it is made."""
        names = [self.program.layers[s.operation.layer].name for s in self.program.stages[:value]
                 if isinstance(s.operation, Call)]
        return names[-1] if names else "input"

    def takers(self, value: int) -> list[int]:
        """Nodes that take a value from outside."""
        return [k for k, node in enumerate(self.nodes) if value in node.taken]

    def feeding(self) -> list[int]:
        """Nodes without weights that make what copies of a layer take, or are dealt.

        What deals images does it where they are made, if that is no layer's tile.
        """
        makers = {v: k for k, node in enumerate(self.nodes) for v in node.values}
        fed = [self.nodes[makers[v]].source for node in self.nodes if node.sources
               for v in node.sources if self.call(makers[v]) is not None]
        feeders = [k for k, node in enumerate(self.nodes)
                   if self.call(k) is None and any(v in fed for v in node.values)]
        before = [makers.get(self.nodes[k].source, k) if self.nodes[k].deals else k for k in feeders]
        return [k if self.call(maker) is not None else maker for k, maker in zip(feeders, before, strict=True)]

    def held(self, k: int) -> tuple[int, ...]:
        """Values of a single pixel that a node takes at each of many positions."""
        node = self.nodes[k]
        if node.whole or node.walk.positions == 1:
            return ()
        return tuple(v for v in node.joins if self.values[v].image.pixels == 1 and v not in node.sources)

    def call(self, k: int) -> Call | None:
        """The call of a layer with which a node begins."""
        head = self.nodes[k].head
        op = None if head is None else self.program.stages[head].operation
        return op if isinstance(op, Call) else None

    def dealt(self, k: int) -> Call | None:
        """The call of a node that computes every so many images."""
        call = self.call(k)
        return call if call is not None and call.turns > 1 else None

    def period(self, k: int) -> int:
        """Images after which a node does the same again."""
        call = self.dealt(k)
        return call.turns if call is not None else max(self.nodes[k].dealt, self.nodes[k].deals, 1)

    def left_out(self, k: int) -> int:
        """Pixels at the beginning of an image that the walk of a layer's node leaves out."""
        node = self.nodes[k]
        if self.call(k) is None:
            return 0
        return self.values[node.source].image.pixels - node.walk.image

    def images(self, value: int) -> list[Image]:
        """Images of what makes a value takes."""
        return [self.values[v].image for v in self.program.stages[value - 1].inputs]
