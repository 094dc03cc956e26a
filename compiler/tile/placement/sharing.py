"""Rings that several values have, one after the other.

A layer that is called at many steps makes many values of a single pixel, more than a tile has streams. What is made
and taken on one tile may have the ring of a value that is gone; what one tile sends to others in the order in which
they take it may have one flow. Then steps that do the same have the same instructions, and become a loop.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from mho.compiler.tile.placement.order import Part
from mho.compiler.tile.placement.streams import Placed, Ring, boxes_of, place_of
from mho.compiler.tile.refusal import Full, Refusal, full_of
from mho.hw.tile.interpreter.joined import HOST, Flow
from mho.hw.tile.isa.rules import SLOTS

FLOWS = 16
"""Flows of a tile."""
FEW = 3
"""Values of a single pixel up to which each has a ring of its own."""

Key = tuple[str, int, int]


def shared(placed: Placed, order: Mapping[str, Sequence[int]]) -> Placed | Refusal:
    """The same with fewer rings and flows; ``order`` are the nodes of each tile, in an image.

    Where images differ, since copies of a layer are dealt them, each value keeps its own.
    """
    if any(node.dealt for node in placed.graph.nodes):
        return _numbered(placed)
    span = {tile: _spans(group, len(placed.graph.nodes)) for tile, group in order.items()}
    rings, flows = _one_flow(placed, span)
    for tile in placed.tiles:
        mine = [key for key, ring in rings.items() if key[0] == tile and ring.slot is None and _single(placed, ring)]
        if len(mine) > FEW:
            kinds = list(dict.fromkeys(_reader(placed, key) for key in mine))
            for n, kind in enumerate(kinds):
                group = [key for key in mine if _reader(placed, key) == kind]
                rings |= _one_ring(placed, group, span[tile], f"val{n}_")
    return _numbered(replace(placed, rings=rings, flows=flows))


def _numbered(placed: Placed) -> Placed | Refusal:
    """With flows and slots numbered from 0 on, if tiles and the host have so many."""
    numbers: dict[str, int] = {}
    slots: dict[str, int] = {}
    renamed: dict[Flow, Flow] = {}
    for flow in dict.fromkeys(placed.all_flows):
        number, tiles = numbers.get(flow.sender, 0), [tile for tile in flow.to if tile != HOST]
        slot = max([slots.get(tile, 0) for tile in tiles], default=0)
        numbers[flow.sender] = number + 1
        slots |= dict.fromkeys(tiles, slot + 1)
        renamed[flow] = replace(flow, number=number, slot=slot)
    filled = {(tile, flow.slot): renamed[flow].slot for flow in renamed for tile in flow.to if tile != HOST}
    rings: dict[Key, Ring] = {}
    for key, ring in placed.rings.items():
        slot = ring.slot
        if slot is not None:
            slot = filled.get((ring.tile, slot))
            if slot is None:
                slot = slots.get(ring.tile, 0)
                slots[ring.tile] = slot + 1
        rings[key] = replace(ring, slot=slot)
    from_host = [ring for key, ring in rings.items() if placed.rings[key].slot is not None
                 and (ring.tile, placed.rings[key].slot) not in filled]
    if refusal := _too_many(placed, slots, numbers) or _too_many_of_host(placed, from_host):
        return refusal
    columns = {key: (replace(ring, slot=renamed[flow].slot), renamed[flow])
               for key, (ring, flow) in placed.columns.items()}
    flows = {value: tuple(dict.fromkeys(renamed[flow] for flow in old)) for value, old in placed.flows.items()}
    return replace(placed, rings=rings, flows=flows, columns=columns)


def _too_many_of_host(placed: Placed, rings: Sequence[Ring]) -> Refusal | None:
    """None if the host has a flow for each value that it sends, to all tiles that take it in one slot."""
    places: dict[tuple[int | None, int], set[tuple[int, int]]] = {}
    for ring in rings:
        places.setdefault((ring.slot, ring.value), set()).add(place_of(ring.tile))
    flows = sum(len(boxes_of(frozenset(group))) for group in places.values())
    if flows > FLOWS:
        last = placed.graph.layer_before(max(value for _, value in places))
        return Refusal(f"the host must send at most {FLOWS} flows of values to tiles, not {flows}, up to those "
                       f"behind layer {last!r}")
    return None


def _too_many(placed: Placed, slots: Mapping[str, int], flows: Mapping[str, int]) -> Full | None:
    """None if tiles have so many slots and flows."""
    kinds = (slots, SLOTS, "take at most {} values from others"), (flows, FLOWS, "send at most {} flows")
    return full_of([
        Full(f"tile {tile} with what is of {placed.layers(tile)} must {does.format(limit)}, not {count}", (tile,))
        for counts, limit, does in kinds for tile, count in counts.items() if count > limit])


def _spans(order: Sequence[int], nodes: int) -> dict[int, tuple[int, int]]:
    """When each node fires first and last, its release as well."""
    spans: dict[int, tuple[int, int]] = {}
    for at, k in enumerate(order):
        # Of a node with parts also the place of each.
        for number in {k, k % nodes}:
            spans[number] = spans.get(number, (at, at))[0], at
    return spans


def _made_at(placed: Placed, span: Mapping[int, tuple[int, int]], maker: int, value: int) -> int:
    """When a node has made a value."""
    at = placed.graph.nodes[maker].made_at(value)
    return span[maker if at is None else maker + len(placed.graph.nodes) * (Part.TURN + at)][1]


def _taken_at(placed: Placed, span: Mapping[int, tuple[int, int]], taker: int, value: int) -> tuple[int, int]:
    """When a node takes a value, first and last."""
    node = placed.graph.nodes[taker]
    if node.turns and value in node.sources:
        return span[taker + len(placed.graph.nodes) * (Part.TURN + node.sources.index(value))]
    return span[taker]


def _single(placed: Placed, ring: Ring) -> bool:
    return not ring.outputs and placed.graph.values[ring.value].image.pixels == 1


def _maker(placed: Placed, value: int) -> int | None:
    return next((k for k, node in enumerate(placed.graph.nodes) if value in node.values), None)


def _reader(placed: Placed, key: Key) -> object:
    """What reads a ring: a walk counts its pixels, so nothing else may read that ring."""
    node, call = placed.graph.nodes[key[1]], placed.graph.call(key[1])
    return (call.layer, node.walk) if call is not None and key[2] == node.source else None


def _one_ring(
    placed: Placed, keys: Sequence[Key], span: Mapping[int, tuple[int, int]], name: str
) -> dict[Key, Ring]:
    """Rings within a tile: a value has the first one that is free while it is there."""
    until: list[int] = []
    size: list[int] = []
    place: dict[Key, int] = {}

    def begins(key: Key) -> int:
        maker = _maker(placed, key[2])
        assert maker is not None
        return _made_at(placed, span, maker, key[2])

    for key in sorted(keys, key=lambda key: (begins(key), key)):
        # The node that makes it may read the one before: a block is read until it is given back.
        number = next((n for n, end in enumerate(until) if end <= begins(key)), len(until))
        if number == len(until):
            until.append(0)
            size.append(0)
        until[number], place[key] = _taken_at(placed, span, key[1], key[2])[1], number
        size[number] = max(size[number], placed.graph.values[key[2]].block)
    return {key: replace(placed.rings[key], name=f"{name}{n}", size=size[n]) for key, n in place.items()}


def _one_flow(
    placed: Placed, span: Mapping[str, Mapping[int, tuple[int, int]]]
) -> tuple[dict[Key, Ring], dict[int, tuple[Flow, ...]]]:
    """Flows of values of a single pixel from one tile to the same others, where all take them as they come."""
    rings, flows = dict(placed.rings), dict(placed.flows)
    groups: dict[tuple[object, ...], list[tuple[int, int, Flow]]] = {}
    for value, group in placed.flows.items():
        maker, layout = _maker(placed, value), placed.graph.values[value]
        for flow in group:
            if maker is not None and HOST not in flow.to and layout.image.pixels == 1:
                ends = frozenset((tile, _reader(placed, _taker(placed, tile, value, flow))) for tile in flow.to)
                key = flow.sender, ends, layout.block
                at = _made_at(placed, span[flow.sender], maker, value)
                groups.setdefault(key, []).append((at, value, flow))
    for group in groups.values():
        group.sort(key=lambda entry: entry[:2])
        takers = [[_taker(placed, tile, value, flow) for tile in flow.to] for _, value, flow in group]
        if len(group) <= FEW or not _as_they_come(placed, span, takers):
            continue
        first = group[0][2]
        for (_, value, flow), ends in zip(group, takers, strict=True):
            flows[value] = tuple(first if entry is flow else entry for entry in flows[value])
            for key in ends:
                rings[key] = replace(rings[key], name=f"from{first.sender.replace(',', '_')}_{first.number}",
                                     slot=first.slot)
    return rings, flows


def _taker(placed: Placed, tile: str, value: int, flow: Flow) -> Key:
    """The ring that a flow fills on a tile."""
    return next(key for key, ring in placed.rings.items()
                if key[0] == tile and key[2] == value and ring.slot == flow.slot)


def _as_they_come(
    placed: Placed, span: Mapping[str, Mapping[int, tuple[int, int]]], takers: Sequence[Sequence[Key]]
) -> bool:
    """Whether each node has done with a value before another one takes the next."""
    for side in zip(*[sorted(ends) for ends in takers], strict=True):
        spans = [_taken_at(placed, span[tile], k, value) for tile, k, value in side]
        if any(a[1] >= b[0] for a, b in pairwise(spans)):
            return False
    return True
