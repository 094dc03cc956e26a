"""From a program to its tile graph: which stages are one node, what fires pixel by pixel and what has whole images."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import NoReturn

import numpy as np

from mho.compiler.program import Call, Program, Stage
from mho.compiler.tile.graph.graph import Graph, Node, Value
from mho.compiler.tile.graph.host import Split, split_of
from mho.compiler.tile.graph.images import (
    images_of,
    interleaved_turns,
    interleaved_values,
    is_sequence,
    is_windowed,
    outputs_in,
    single_pixels,
)
from mho.compiler.tile.graph.shapes import MOST_ELEMENTS, MOST_PIXELS
from mho.compiler.tile.lowering.geometry import Image, layer_walk, pooling, turns_of
from mho.compiler.tile.lowering.operations import steps_of, window_of
from mho.compiler.tile.lowering.routes import NotAlikeError
from mho.hw.tile.isa import TABLES
from mho.hw.tile.isa.window import SlidingWindow
from mho.macro_models.errors import InputError
from mho.macro_models.integer.vector import LANE_MAX, Largest, Select, Table, WeightedSum


def tile_graph(program: Program, entry: Image, moved: Iterable[int] = (), apart: Collection[int] = ()) -> Graph:
    """The graph of a program whose input is ``entry``.

    A stage that has no form on tiles goes to the host, and so do those that are ``moved``. With stages ``apart`` a node
    begins. Raises InputError if something has no form on tiles.
    """
    moved = set(moved)
    while True:
        split = split_of(program, moved)
        try:
            return _Builder(program, entry, split, apart).build()
        except _NoFormError as refused:
            if refused.stage is None or refused.stage in moved:
                raise InputError(str(refused)) from None
            moved.add(refused.stage)


class _NoFormError(Exception):
    """A stage has no form on tiles; None if no other place helps."""

    def __init__(self, sentence: str, stage: int | None) -> None:
        super().__init__(sentence)
        self.stage = stage


class _Builder:
    def __init__(self, program: Program, entry: Image, split: Split, apart: Collection[int]) -> None:
        self.program, self.split, self.apart = program, split, apart
        self.nodes: list[Node] = []
        self.late = set[int]()
        self.home: dict[int, int] = {}
        self.coded = {s.inputs[0]: program.layers[s.operation.layer].mvms[0].op.in_signed
                      for s in program.stages if isinstance(s.operation, Call)}
        for k in reversed(range(len(program.stages))):
            if k + 1 in self.coded:
                stages = program.stages
                alike = stages[k].inputs if interleaved_turns(stages, k) else interleaved_values(stages, k)
                self.coded |= dict.fromkeys(alike, self.coded[k + 1])
        images = images_of(program.stages, entry, outputs_in(program))
        self.values = [self._value(k, image) for k, image in enumerate(images)]
        self.pixels, self.between = single_pixels(program, self.values, set(split.results))

    def build(self) -> Graph:
        """Stage by stage."""
        for k in self.split.inside:
            stage = self.program.stages[k]
            self._settle(stage)
            if isinstance(stage.operation, Call):
                self._call(k, stage.operation, stage.inputs[0])
            elif self._deals(k) or k + 1 in self.between or self._is_late(k, stage):
                continue
            elif not (self._pixel(k) or self._dealt(k) or self._in_turns(k, stage) or self._pooled(k, stage)
                      or self._by_pixels(k, stage)):
                self._whole(k, stage)
        # Nothing may be left to do where the input comes in.
        nodes = [node for node in self.nodes if node.values]
        if not nodes:
            raise InputError("a network must have a layer for tiles, not steps of the host alone")
        return Graph(program=self.program, split=self.split, nodes=tuple(nodes), values=tuple(self.values))

    # --- stages ---

    def _call(self, k: int, op: Call, source: int) -> None:
        value = self.values[source]
        walk = layer_walk(op, value.image)
        if walk is None or value.wide:
            what = "a window of an image" if walk is None else "codes"
            raise InputError(f"layer {self.program.layers[op.layer].name!r} must take {what} for tiles")
        if op.turns > 1 and not interleaved_turns(self.program.stages, source - 1):
            name = self.program.layers[op.layer].name
            raise InputError(f"layer {name!r} must be dealt its images by a stage: compile the network again")
        self._begin(Node(head=k, source=source, walk=walk, values=(k + 1,)))

    def _is_late(self, k: int, stage: Stage) -> bool:
        """A slice of such a pixel, which is made where it is taken first."""
        late = isinstance(stage.operation, Select) and len(stage.inputs) == 1 and k + 1 not in self.split.results
        if late and (stage.inputs[0] in self.pixels or stage.inputs[0] in self.late) and k + 1 not in self.pixels:
            self.late.add(k + 1)
            return True
        return False

    def _settle(self, stage: Stage) -> None:
        """Make slices that a stage takes, in the node of what else it takes, or in one of their own."""
        late = [v for v in stage.inputs if v in self.late]
        if not late or (isinstance(stage.operation, Select) and len(stage.inputs) == 1):
            return
        present = [v for v in stage.inputs if v not in self.late]
        home = self._home(present) if present else -1
        if home >= 0:
            node = self.nodes[home]
            home = -1 if isinstance(stage.operation, Call) or node.pixels or node.whole or node.firings > 1 else home
        for value in late:
            home = self._settled(value, home)

    def _settled(self, value: int, home: int) -> int:
        """The node in which a slice is made: ``home``, or another one."""
        source = self.program.stages[value - 1].inputs[0]
        if source in self.late:
            home = self._settled(source, home)
        if home < 0:
            self._begin(Node(head=None, source=source, walk=self._each(source), values=()))
            home = len(self.nodes) - 1
        self.late.discard(value)
        self._add(home, value - 1, (source,))
        return home

    def _pixel(self, k: int) -> bool:
        """A stage that takes one pixel of an image, as steps of a recurrent cell do: in the node of all of those."""
        if k + 1 not in self.pixels:
            return False
        source, pixel = self.pixels[k + 1]
        home = next((n for n, node in enumerate(self.nodes) if node.pixels and node.source == source), None)
        if home is None:
            self._begin(Node(head=None, source=source, walk=self._each(source), values=(k + 1,), pixels=(pixel,)))
            return True
        node = self.nodes[home]
        self.nodes[home] = replace(node, values=(*node.values, k + 1), pixels=(*node.pixels, pixel))
        self.home[k + 1] = home
        return True

    def _deals(self, k: int) -> bool:
        """A stage that gives each image to one of several copies of a layer."""
        count = interleaved_turns(self.program.stages, k)
        if count:
            source = self.program.stages[k].inputs[0]
            self._begin(Node(head=None, source=source, walk=self._each(source), values=(k + 1,), deals=count))
        return count > 0

    def _dealt(self, k: int) -> bool:
        """A stage that takes the value of one of several copies of a layer in each image."""
        values = interleaved_values(self.program.stages, k)
        if values:
            self._begin(Node(head=None, source=values[0], walk=self._each(values[0]), values=(k + 1,),
                             joins=values[1:], dealt=len(values)))
        return bool(values)

    def _in_turns(self, k: int, stage: Stage) -> bool:
        """A stage whose pixels come from copies of a layer, or from steps of a cell, in turn."""
        value, inputs = self.values[k + 1], stage.inputs
        calls = all(v and isinstance(self.program.stages[v - 1].operation, Call) for v in inputs)
        tiles = all(v in self.home for v in inputs) and len(set(inputs)) == len(inputs)
        sequence = is_sequence([self.values[v].image for v in inputs]) and tiles
        if not isinstance(stage.operation, Select) or not (calls or sequence):
            return False
        rows = turns_of(stage.operation.index, [self.values[v].image for v in inputs])
        if rows is None or rows[0] != value.image:
            return False
        self._begin(Node(head=None, source=inputs[0], walk=self._each(k + 1), values=(k + 1,), joins=inputs[1:],
                         turns=rows[1]))
        return True

    def _pooled(self, k: int, stage: Stage) -> bool:
        """A stage that takes the same window of each channel, all of it alike."""
        op, value_made = stage.operation, self.values[k + 1]
        if not isinstance(op, WeightedSum | Largest) or not is_windowed(op, stage.inputs):
            return False
        value = self.values[stage.inputs[0]]
        window = pooling(op.index, value.image) if value.image.pixels > 1 else None
        if window is None or window[1] != value_made.image:
            return False
        try:
            window_of(op, value_made.image)
        except NotAlikeError:
            return False
        self._begin(Node(head=k, source=stage.inputs[0], walk=replace(window[0], run=value.block), values=(k + 1,)))
        return True

    def _by_pixels(self, k: int, stage: Stage) -> bool:
        """A stage that is done pixel by pixel: at the positions of its node, or in a node of its own."""
        image, inputs = self.values[k + 1].image, stage.inputs
        try:
            steps_of(stage.operation, [self.values[v].image for v in inputs], image, whole=False)
        except NotAlikeError:
            return False
        home = self._home(inputs)
        fits = home >= 0 and not self.nodes[home].whole and self.nodes[home].walk.positions == image.pixels
        fits = fits and not self.nodes[home].pixels and k not in self.apart
        if fits and self._has_table(home, stage):
            self._add(home, k, inputs)
            return True
        source = next((v for v in inputs if self.values[v].image.pixels == image.pixels), None)
        if source is None:
            return False
        self._begin(Node(head=None, source=source, walk=self._each(source), values=()))
        if all(v not in self.home for v in inputs):
            self.home[source] = len(self.nodes) - 1
        self._add(len(self.nodes) - 1, k, inputs)
        return True

    def _home(self, inputs: Sequence[int]) -> int:
        """The node of what makes some values, -1 if they need one of their own.

        A node cannot take what the host makes of its own values, or of those of later nodes.
        """
        home = max(self.home.get(v, -1) for v in inputs)
        waits = [self.home[r] for v in inputs for r in self.split.waits.get(v, ())]
        return home if home > max(waits, default=-1) else -1

    def _has_table(self, home: int, stage: Stage) -> bool:
        """Whether a node has the tables of its stages and of one more."""
        ops = [self.program.stages[v - 1].operation for v in self.nodes[home].values]
        return len({op.entries.tobytes() for op in (*ops, stage.operation) if isinstance(op, Table)}) <= TABLES

    def _whole(self, k: int, stage: Stage) -> None:
        """A node for all pixels of an image, whose elements have parameters of their own."""
        inputs = stage.inputs
        for image in (self.values[v].image for v in (*inputs, k + 1)):
            if image.elements >= MOST_ELEMENTS or image.pixels > MOST_PIXELS:
                what = type(stage.operation).__name__.lower()
                self._refuse(k, f"is followed by a {what} of {image.elements} elements in {image.pixels} pixels that "
                             f"differ; tiles take fewer than {MOST_ELEMENTS} and {MOST_PIXELS + 1}")
        home = self._home(inputs)
        if home < 0 or not self.nodes[home].whole or k in self.apart or not self._has_table(home, stage):
            self._begin(Node(head=None, source=inputs[0], walk=self._each(inputs[0]), values=(), whole=True))
            home = len(self.nodes) - 1
        self._add(home, k, inputs)

    def _each(self, value: int) -> SlidingWindow:
        """Every pixel of a value, one after the other."""
        image = self.values[value].image
        return SlidingWindow(run=self.values[value].block, channel=0, width=image.width, height=image.height,
                    positions_x=image.width, positions_y=image.height)

    # --- nodes and values ---

    def _begin(self, node: Node) -> None:
        self.nodes.append(node)
        self.home |= dict.fromkeys(node.values, len(self.nodes) - 1)

    def _add(self, home: int, k: int, inputs: Iterable[int]) -> None:
        """A stage to a node."""
        node = self.nodes[home]
        joins = [v for v in dict.fromkeys(inputs) if v not in (*node.values, *node.taken)]
        self.nodes[home] = replace(node, values=(*node.values, k + 1), joins=(*node.joins, *joins))
        self.home[k + 1] = home

    def _value(self, number: int, image: Image) -> Value:
        """Codes where a layer takes them, else lanes."""
        low, high = self._range(number)
        if number in self.coded and ((low >= -128 and high <= 127) or (low >= 0 and high <= 255)):
            return Value(image=image, wide=False, signed=self.coded[number])
        return Value(image=image, wide=True)

    def _range(self, number: int) -> tuple[int, int]:
        stage = self.program.stages[number - 1] if number else None
        op = stage.operation if stage is not None else self.program.input
        if stage is not None and (isinstance(op, Select) or interleaved_values(self.program.stages, number - 1)):
            ends = [self._range(v) for v in stage.inputs]
            low, high = min(a for a, _ in ends), max(b for _, b in ends)
            filled = op.fill[op.index < 0] if isinstance(op, Select) else ()
            return int(min([low, *filled])), int(max([high, *filled]))
        if isinstance(op, Call):
            op = self.program.layers[op.layer].root.requantise
        low, high = getattr(op, "low", -LANE_MAX), getattr(op, "high", LANE_MAX)
        return int(np.min(low)), int(np.max(high))

    def _refuse(self, k: int, sentence: str) -> NoReturn:
        names = [self.program.layers[s.operation.layer].name for s in self.program.stages[: k + 1]
                 if isinstance(s.operation, Call)]
        raise _NoFormError(f"layer {names[-1]!r} {sentence}" if names else f"the input {sentence}", k)
