"""The tile graph of a program: nodes that fire once a position, and the values that go between them.

A node begins with a layer, with pooling or with the network's input, and has what is done to each element behind it:
encoding, limits, tables, sums with a value of another node at the same position. What it gives to others are its
exports. Everything that has no such form is refused with the name of the layer behind which it comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from compiler.program import Call, Program, Stage
from compiler.tile.graph.geometry import Image, call_image, layer_walk, pooling
from compiler.tile.graph.operations import NotAlikeError, Vector, vector_of
from hw.tile.walk import Walk
from macro_models.errors import InputError
from macro_models.exact.vector import LANE_MAX, Encode, Largest, Limit, Table, WeightedSum

__all__ = ["Graph", "Node", "Value", "image_of", "tile_graph"]

POINTWISE = (Encode, Limit, Table)
MOST_ELEMENTS = 1 << 10
"""Elements from which on a vector operation has no parameter for each."""
MOST_PIXELS = 255
"""Pixels of an image that a ring holds."""


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
        return Vector(fields={"kind": "max", "lo": low, "hi": high})

    @property
    def format(self) -> str:
        """Its name in a vec descriptor."""
        return "lane" if self.wide else "signed" if self.signed else "unsigned"


@dataclass(frozen=True, kw_only=True)
class Node:
    """What fires at each position of one image.

    ``head`` is the layer or pooling that it begins with, None if it has none; ``source`` the value that ``head`` takes
    by ``walk``. ``values`` are what it makes, in order; ``joins`` those of other nodes that it takes pixel by pixel.
    A ``whole`` one fires once for all pixels of an image.
    """

    head: int | None
    source: int
    walk: Walk
    values: tuple[int, ...]
    joins: tuple[int, ...] = ()
    exports: tuple[int, ...] = ()
    whole: bool = False

    @property
    def taken(self) -> tuple[int, ...]:
        """Values that come from outside."""
        return (self.source, *self.joins)


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Nodes in the order of the program, and all values by their numbers."""

    program: Program
    nodes: tuple[Node, ...]
    values: tuple[Value, ...]

    @property
    def output(self) -> int:
        """Number of the value that the host gets."""
        return len(self.program.stages)

    def layer_before(self, value: int) -> str:
        """Name of the layer that makes a value, or behind which it is made."""
        names = [self.program.layers[s.operation.layer].name for s in self.program.stages[:value]
                 if isinstance(s.operation, Call)]
        return names[-1] if names else "input"

    def takers(self, value: int) -> list[int]:
        """Nodes that take a value from outside."""
        return [k for k, node in enumerate(self.nodes) if value in node.taken]


def image_of(operation: object, taken: Sequence[Image], outputs: int = 0) -> Image | None:
    """The image that a step or stage makes, None if there is none."""
    patches, index, first = getattr(operation, "patches", None), getattr(operation, "index", None), taken[0]
    if patches is not None:
        return call_image(operation, outputs)  # type: ignore[arg-type]
    if index is None:
        return first if hasattr(operation, "multiplier") or hasattr(operation, "low") else None
    if len(index) == first.elements and all(one == first for one in taken):
        return first
    found = pooling(index, first) if len(taken) == 1 else None
    return None if found is None else found[1]


def tile_graph(program: Program, entry: Image) -> Graph:
    """The graph of a program whose input is ``entry``.

    Raises
    ------
    InputError
        If something has no form on tiles.
    """
    return _Builder(program, entry).build()


class _Builder:
    def __init__(self, program: Program, entry: Image) -> None:
        self.program = program
        self.nodes: list[Node] = []
        self.home: dict[int, int] = {}
        self.coded = {s.inputs[0]: program.layers[s.operation.layer].mvms[0].op.in_signed
                      for s in program.stages if isinstance(s.operation, Call)}
        self.values = [self._value(0, entry)]
        if program.input.before is not None and program.input.offset.size != entry.elements:
            raise InputError("what the host does before the input is quantised must leave an image for tiles")
        direct = [s for s in program.stages if s.inputs == (0,)]
        if not all(isinstance(s.operation, Call) or self._windowed(s) for s in direct):
            self._begin(Node(head=None, source=0, walk=self._each(0), values=()))

    def build(self) -> Graph:
        """Stage by stage."""
        called: set[int] = set()
        for k, stage in enumerate(self.program.stages):
            op = stage.operation
            if isinstance(op, Call):
                if op.layer in called:
                    self._refuse(k, "must be called once for tiles, not at several steps")
                called.add(op.layer)
                self._call(k, op, stage.inputs[0])
            elif self._windowed(stage):
                self._pool(k, stage.inputs[0], op.index)  # type: ignore[union-attr]
            else:
                self._pointwise(k, stage)
        last = len(self.program.stages)
        # Nothing may be left to do where the input comes in.
        some = [node for node in self.nodes if node.values]
        taken = {value for node in some for value in node.taken}
        nodes = [replace(node, exports=tuple(v for v in node.values if v == last or v in taken)) for node in some]
        return Graph(program=self.program, nodes=tuple(nodes), values=tuple(self.values))

    # --- stages ---

    def _call(self, k: int, op: Call, source: int) -> None:
        value = self.values[source]
        walk = layer_walk(op, value.image)
        if walk is None:
            self._refuse(k, "must take a window of an image, ungrouped, for tiles")
        layer = self.program.layers[op.layer]
        made = Image(channels=layer.outputs, height=walk.positions_y, width=walk.positions_x)
        self._begin(Node(head=k, source=source, walk=walk, values=(k + 1,)))
        self._made(k, made)

    def _pool(self, k: int, source: int, index: NDArray[np.int32]) -> None:
        value = self.values[source]
        found = pooling(index, value.image)
        if found is None:
            self._refuse(k, "must pool each channel alike, without padding, for tiles")
        walk, made = found
        walk = replace(walk, run=value.block)
        self._begin(Node(head=k, source=source, walk=walk, values=(k + 1,)))
        self._made(k, made)

    def _pointwise(self, k: int, stage: Stage) -> None:
        op, inputs = stage.operation, stage.inputs
        images = [self.values[v].image for v in inputs]
        if not self._by_pixels(stage):
            self._refuse(k, f"is followed by a {type(op).__name__.lower()} of elements that tiles cannot do")
        if any(image != images[0] for image in images):
            self._refuse(k, "is followed by a sum of values that differ in shape, which tiles cannot do")
        home = max(self.home.get(v, -1) for v in inputs)
        if home < 0:
            self._refuse(k, "must be behind a layer, or encoded, for tiles")
        if not self.nodes[home].whole and not self._alike(op, images[0], len(inputs)):
            self._whole(k, inputs)
            return
        node = self.nodes[home]
        others = tuple(v for v in inputs if self.home.get(v) != home)
        if node.values and self.values[node.values[0]].image != images[0]:
            self._refuse(k, "is followed by a sum at other positions, which tiles cannot do")
        self.nodes[home] = replace(node, values=(*node.values, k + 1), joins=(*node.joins, *others))
        self.home[k + 1] = home
        self._made(k, images[0])

    def _whole(self, k: int, inputs: tuple[int, ...]) -> None:
        """A node for all pixels of an image, whose elements have parameters of their own."""
        image = self.values[inputs[0]].image
        if image.elements >= MOST_ELEMENTS or image.pixels > MOST_PIXELS:
            self._refuse(k, f"is followed by {image.elements} elements in {image.pixels} pixels that differ within a "
                         f"channel; tiles take fewer than {MOST_ELEMENTS} and {MOST_PIXELS + 1}")
        self._begin(Node(head=None, source=inputs[0], joins=inputs[1:], walk=self._each(inputs[0]), values=(k + 1,),
                         whole=True))
        self._made(k, image)

    def _each(self, value: int) -> Walk:
        """Every pixel of a value, one after the other."""
        image = self.values[value].image
        return Walk(run=self.values[value].block, channel=0, width=image.width, height=image.height,
                    positions_x=image.width, positions_y=image.height)

    @staticmethod
    def _alike(op: object, image: Image, sources: int) -> bool:
        """Whether elements of a channel have the same parameters."""
        try:
            vector_of(op, image, sources)
        except NotAlikeError:
            return False
        return True

    def _windowed(self, stage: Stage) -> bool:
        """Whether a stage takes several elements of one value for each that it makes."""
        op = stage.operation
        if isinstance(op, WeightedSum):
            return len(stage.inputs) == 1 and op.index.shape[1] > 1
        return isinstance(op, Largest)

    def _by_pixels(self, stage: Stage) -> bool:
        """Whether a stage makes each element of those at its place."""
        op, count = stage.operation, len(stage.inputs)
        if isinstance(op, POINTWISE):
            return count == 1
        if not isinstance(op, WeightedSum) or op.index.shape[1] != count or count > 2 or len(set(stage.inputs)) < count:
            return False
        size = len(op.index)
        return np.array_equal(op.index, np.arange(size)[:, None] + size * np.arange(count))

    # --- values ---

    def _begin(self, node: Node) -> None:
        self.nodes.append(node)
        for value in node.values or (node.source,):
            self.home[value] = len(self.nodes) - 1

    def _made(self, k: int, image: Image) -> None:
        self.values.append(self._value(k + 1, image))

    def _value(self, number: int, image: Image) -> Value:
        """Codes where a layer takes them, else lanes."""
        low, high = self._range(number)
        if number in self.coded and ((low >= -128 and high <= 127) or (low >= 0 and high <= 255)):
            return Value(image=image, wide=False, signed=self.coded[number])
        return Value(image=image, wide=True)

    def _range(self, number: int) -> tuple[int, int]:
        op = self.program.stages[number - 1].operation if number else self.program.input
        if isinstance(op, Call):
            op = self.program.layers[op.layer].root.requantise
        low, high = getattr(op, "low", -LANE_MAX), getattr(op, "high", LANE_MAX)
        return int(np.min(low)), int(np.max(high))

    def _refuse(self, k: int, sentence: str) -> NoReturn:
        names = [self.program.layers[s.operation.layer].name for s in self.program.stages[: k + 1]
                 if isinstance(s.operation, Call)]
        raise InputError(f"layer {names[-1]!r} {sentence}" if names else f"the input {sentence}")
