"""Where macros are in a block: arrays at its right edge, memories along its edges or, if they are many, in columns."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from mho.sim.layout.macros import Macro

MARGIN_um = 17.28
"""From the edge of the block to its rows, for the ring of supplies."""

_HALO_um = 30.0
"""Around a macro, for wires to its pins: half of it on each side."""

_PINS_um, _BUFFERS_um = 80.0, 24.0
"""Before a memory, for wires to its pins, which are at one edge; and what of it has rows: cells would fill more."""

_BESIDE_um, _ENOUGH_um = 0.22, 400.0
"""Beside a memory for each pin of those behind it: half are of a test; others' wires fill half of two layers. What is
enough beside a column, since most wires end at cells near by."""

ROW_um = 3.78
"""Height of a row of cells."""

_BEYOND_um = 3 * ROW_um, 5 * ROW_um
"""Beneath and above all memories, whose ring of supplies goes around all rows: those there have no room for cells."""

_LEAST_um = 150.0
"""Side of a block: stripes of supplies want as much."""

Box = tuple[float, float, float, float]
"""Left, lower, right and upper end in um."""


class Places(NamedTuple):
    """Of macros, within the rows: lengths in um from their lower left corner."""

    wide: float
    tall: float
    corners: list[tuple[str, float, float, str]]
    """Names of instances, their lower left corners, and orientations."""
    channels: list[Box]
    """They have rows only where buffers want them, or of a site, beyond memories."""
    buffers: Sequence[tuple[str, Box]] = ()
    """Rows for the buffers of a memory alone."""
    room: tuple[float, float] = (0.0, 0.0)
    """Of arrays at the right edge: lower end, height."""
    cells: tuple[float, float] | None = None
    """Ends of what cells have of the lower edge beside columns of memories, if there are some."""


_Instances = Sequence[tuple[str, Macro]]


def place_macros(area: float, instances: _Instances) -> Places:
    """Arrays and memories of a block whose cells want an ``area`` in um2."""
    arrays, memories = ([each for each in instances if each[1].side == side] for side in ("right", "left"))
    tallest = max((macro.height + _HALO_um for _, macro in arrays), default=0.0)
    columns = _packed(arrays, "height", tallest)
    reach = sum(column[0][1].width + _HALO_um for column in columns)
    area += sum((macro.width + _HALO_um / 2) * (macro.height + _HALO_um / 2) for _, macro in instances)
    places = _along_edges(area, memories, reach, tallest)
    if places is None:
        near = arrays[0][0].split(".")[0] + "." if arrays else " "
        places = _in_columns(area, memories, reach, tallest, near)
    for column in columns:
        reach -= column[0][1].width + _HALO_um
        spare = (places.room[1] - sum(macro.height for _, macro in column)) / len(column)
        y = places.room[0] + spare / 2
        for name, macro in column:
            places.corners.append((name, places.wide - reach - macro.width - _HALO_um / 2, y, "R0"))
            y += macro.height + spare
    return places


def _along_edges(area: float, memories: _Instances, reach: float, tallest: float) -> Places | None:
    """With memories along the lower and upper edge, and arrays at the right one between them; None if they are many."""
    wide = max(math.sqrt(area), reach, _LEAST_um)
    if memories:  # wider by a quarter at most, if one more of them is side by side then
        step = max(macro.width for _, macro in memories) + _HALO_um / 2
        whole = math.ceil(wide / step) * step
        wide = whole if whole < 1.25 * wide else max(wide, step)
    shelves = _shelves(memories, wide)
    if len({(place.upper, place.depth - place.macro.height) for place in shelves}) > 4:
        return None  # wires of a third one behind another find no way
    area += sum((_PINS_um - _BUFFERS_um if place.behind else _BEYOND_um[0]) * place.macro.width for place in shelves)
    every, beside = ([max((place.depth + _PINS_um for place in shelves
                           if place.upper == upper and place.x + place.macro.width > x), default=0.0)
                      for upper in (False, True)] for x in (0.0, wide - reach))
    tall = max(area / wide, sum(every), sum(beside) + tallest, _LEAST_um)
    corners = [(place.name, place.x, tall - place.depth, "R0") if place.upper else
               (place.name, place.x, place.depth - place.macro.height, "MX") for place in shelves]
    channels = [(1.0, low, wide + ROW_um, low + 2 * _BEYOND_um[0]) for low in (0.0, tall - _BEYOND_um[1]) if shelves]
    channels += [place.channel(tall) for place in shelves if place.behind]
    return Places(wide, tall, corners, channels, room=(beside[0], tall - sum(beside)))


class _OnShelf(NamedTuple):
    """A memory along an edge, which is the ``upper`` or the lower one."""

    name: str
    macro: Macro
    x: float
    upper: bool
    depth: float  # how far it reaches from the edge
    behind: bool  # whether, seen from the cells, another one is behind it

    def channel(self, tall: float) -> Box:
        """Lower left and upper right corner in um of what is between the two, but the rows for buffers."""
        far, wires = self.depth - self.macro.height, _PINS_um - _BUFFERS_um
        low = tall - far if self.upper else far - wires
        # As wide as what has no rows beside it: a piece of a row before an array would have no supplies.
        return self.x - _HALO_um / 2, low, self.x + self.macro.width + _HALO_um / 2, low + wires


def _shelves(memories: _Instances, wide: float) -> list[_OnShelf]:
    """Memories side by side along both edges, pins inwards, others behind them, whose wires find room beside them."""
    places: list[_OnShelf] = []
    taken, pins = list(_BEYOND_um), [0, 0]
    while memories:
        upper = taken[0] > taken[1]
        behind = pins[upper] > 0
        shelf = _packed(memories, "width", wide - pins[upper] * _BESIDE_um)[0]
        memories = [each for each in memories if each not in shelf]
        gaps = len(shelf) + (1 if behind else -1)  # wires around those behind others go both ways
        spare = (wide - 1 - sum(macro.width for _, macro in shelf)) / max(1, gaps)  # places are rounded up, too
        x = spare if behind else 0.0
        for name, macro in shelf:
            places.append(_OnShelf(name, macro, x, upper, taken[upper] + macro.height, behind))
            x += macro.width + spare
            pins[upper] += macro.pins
        taken[upper] += shelf[0][1].height + _PINS_um
    return places


def _in_columns(area: float, memories: _Instances, reach: float, tallest: float, near: str) -> Places:
    """With memories beneath each other at the left edge, and above arrays at the right one."""
    area += sum((macro.width + _HALO_um / 2) * (_PINS_um - _HALO_um / 2) for _, macro in memories)
    step = max(macro.width + _HALO_um for _, macro in memories)
    wide = max(math.sqrt(area), reach + step)
    tall = max(area / wide, tallest)
    while len(stacks := _stacks(memories, near, tall - _BEYOND_um[1], tall - _BEYOND_um[1] - tallest)) > 2:
        tall += ROW_um
    beside = min(_ENOUGH_um, _BESIDE_um * sum(macro.pins for stack in stacks for _, macro in stack[:-1]))
    wide = max(min(wide, area / tall), reach + step, len(stacks) * step + beside)
    buffers = list[tuple[str, Box]]()
    places = Places(wide, tall, [], [], buffers, (0.0, tallest), (step, wide))
    for number, stack in enumerate(stacks):
        top = tall - _BEYOND_um[1]
        places.channels.append((1.0, top, step, tall) if number == 0 else (wide - step, top, wide + ROW_um, tall))
        for name, macro in stack:
            x, y = 0.0 if number == 0 else wide - macro.width - 0.5, top - macro.height
            places.corners.append((name, x, y, "R0"))
            top = y - _PINS_um
            if name != stack[-1][0]:
                left, right = x - _HALO_um / 2, x + macro.width + _HALO_um / 2
                places.channels.append((left, top, right, y - _BUFFERS_um))
                buffers.append((name, (max(0.0, left), y - _BUFFERS_um, right, y)))
    return places


def _stacks(memories: _Instances, near: str, *rooms: float) -> list[list[tuple[str, Macro]]]:
    """Memories beneath each other, those of a module together, where there is room; a column of what is left.

    The last ones of a column are those of the module ``near``, which its lower end is near to.
    """
    modules: dict[str, list[tuple[str, Macro]]] = {}
    for each in memories:
        modules.setdefault(".".join(each[0].split(".")[: 1 if each[0].startswith(near) else 2]), []).append(each)
    stacks: list[list[tuple[str, Macro]]] = [[] for _ in rooms]
    free, left = list(rooms), list[tuple[str, Macro]]()
    for group in sorted(modules.values(), key=lambda group: (group[0][0].startswith(near), -_depth(group))):
        together = any(room >= _depth(group) for room in free)
        for part in [group] if together else [[each] for each in group]:
            number = next((number for number, room in enumerate(free) if room >= _depth(part)), None)
            if number is None:
                left += part
            else:
                stacks[number] += part
                free[number] -= _depth(part)
    return [*stacks, left] if left else [stack for stack in stacks if stack]


def _depth(memories: _Instances) -> float:
    return sum(macro.height + _PINS_um for _, macro in memories)


def _packed(instances: _Instances, way: str, room: float) -> list[list[tuple[str, Macro]]]:
    """Macros beside each other as long as their ``width`` or ``height`` finds room, the largest the other way first."""
    groups: list[list[tuple[str, Macro]]] = []
    free = 0.0
    other = "height" if way == "width" else "width"
    for each in sorted(instances, key=lambda each: (-getattr(each[1], other), -getattr(each[1], way))):
        size = getattr(each[1], way) + _HALO_um / 2
        if size > free:
            groups.append([])
            free = room
        groups[-1].append(each)
        free -= size
    return groups
