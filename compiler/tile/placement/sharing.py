"""Rings that several values have, one after the other.

A layer that is called at many steps makes many values of a single pixel, more than a tile has streams. What is made
and taken on one tile may have the ring of a value that is gone; what one tile sends to others in the order in which
they take it may have one flow. Then steps that do the same have the same instructions, and become a loop.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, product

from mho.compiler.tile.placement.order import Part
from mho.compiler.tile.placement.software_pipeline import Cuts, Spans
from mho.compiler.tile.placement.streams import Placed, Ring, boxes_of, place_of
from mho.compiler.tile.refusal import Full, Refusal, full_of
from mho.hw.tile.interpreter.joined import HOST, Flow
from mho.hw.tile.isa.rules import SLOTS

FLOWS = 16
"""Flows of a tile."""
FEW = 3
"""Values of a single pixel up to which each has a ring of its own."""

Key = tuple[str, int, int]


def shared(placed: Placed, spans: Mapping[str, Spans], cuts: Cuts) -> Placed | Refusal:
    """The same with fewer rings and flows; ``spans`` say when the nodes of each tile fire, in a run.

    Where images differ, since copies of a layer are dealt them, each value keeps its own. Values on both sides of a cut
    have a ring where they are taken as they are made.
    """
    if any(node.dealt for node in placed.graph.nodes):
        return _numbered(placed)
    rings, flows = _one_flow(placed, spans, cuts)
    for tile in placed.tiles:
        mine = [key for key, ring in rings.items() if key[0] == tile and ring.slot is None and _single(placed, ring)]
        if len(mine) > FEW:
            kinds = list(dict.fromkeys(_reader(placed, key) for key in mine))
            for n, kind in enumerate(kinds):
                group = [key for key in mine if _reader(placed, key) == kind]
                rings |= _one_ring(placed, group, spans[tile], f"val{n}_", ahead=tile in cuts)
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


def _made_at(placed: Placed, span: Mapping[int, tuple[int, int]], maker: int, value: int) -> int:
    """When a node has made a value."""
    at = placed.graph.nodes[maker].made_at(value)
    return span[maker if at is None else maker + len(placed.graph.nodes) * (Part.TURN + at)][1]


def _taken_at(placed: Placed, span: Mapping[int, tuple[int, int]], taker: int, value: int) -> tuple[int, int]:
    """When a node takes a value, first and last."""
    node, count = placed.graph.nodes[taker], len(placed.graph.nodes)
    if node.turns and value in node.sources:
        return span[taker + count * (Part.TURN + node.sources.index(value))]
    # The product of a node of one position takes its source, what follows takes the rest.
    part = Part.PRODUCTS if value == node.source else Part.REST
    return span[taker] if node.walk.positions > 1 else span.get(taker + count * part, span[taker])


def _single(placed: Placed, ring: Ring) -> bool:
    return not ring.outputs and placed.graph.values[ring.value].image.pixels == 1


def _maker(placed: Placed, value: int) -> int | None:
    return next((k for k, node in enumerate(placed.graph.nodes) if value in node.values), None)


def _reader(placed: Placed, key: Key) -> object:
    """What reads a ring: a walk counts its pixels, so nothing else may read that ring."""
    node, call = placed.graph.nodes[key[1]], placed.graph.call(key[1])
    return (call.layer, node.walk) if call is not None and key[2] == node.source else None


def _one_ring(placed: Placed, keys: Sequence[Key], spans: Spans, name: str, *, ahead: bool) -> dict[Key, Ring]:
    """Rings within a tile: a value has the first one that is free, or with some ``ahead`` all is taken as it comes."""
    rings: list[list[Key]] = []
    lives: dict[Key, list[tuple[int, int, int]]] = {}
    for key in keys:
        maker = _maker(placed, key[2])
        assert maker is not None
        lives[key] = [(_made_at(placed, span, maker, key[2]), *_taken_at(placed, span, key[1], key[2]))
                      for span in spans]
    for key in sorted(keys, key=lambda key: (lives[key][0][0], key)):
        ring = next((ring for ring in rings
                     if all(_in_turn(lives[key], lives[other], ahead=ahead) for other in ring)), None)
        if ring is None:
            rings.append(ring := [])
        ring.append(key)
    return {key: replace(placed.rings[key], name=f"{name}{n}",
                         size=max(placed.graph.values[other[2]].block for other in ring))
            for n, ring in enumerate(rings) for key in ring}


def _in_turn(lives: Sequence[tuple[int, int, int]], others: Sequence[tuple[int, int, int]], *, ahead: bool) -> bool:
    """Whether of two values, (made, taken first, taken last) in each image, one is gone when the other one is made.

    With some ``ahead`` it is enough that the one made first is taken first. The node that makes one may read the other:
    a block is read until it is given back.
    """
    for a, b in product(lives, others):
        (_, _, end), (made, begin, _) = sorted((a, b))
        if end > made and (end >= begin or not ahead):
            return False
    return True


def _one_flow(
    placed: Placed, spans: Mapping[str, Spans], cuts: Cuts
) -> tuple[dict[Key, Ring], dict[int, tuple[Flow, ...]]]:
    """Flows of values of a single pixel from one tile to the same others, where all take them as they come."""
    rings, flows = dict(placed.rings), dict(placed.flows)
    groups: dict[tuple[object, ...], list[tuple[int, int, Flow]]] = {}
    for value, group in placed.flows.items():
        maker, layout = _maker(placed, value), placed.graph.values[value]
        for flow in group:
            if maker is not None and HOST not in flow.to and layout.image.pixels == 1:
                takers = [_taker(placed, tile, value, flow) for tile in flow.to]
                ends = frozenset((key[0], _reader(placed, key), key[1] < cuts.get(key[0], 0)) for key in takers)
                at = _made_at(placed, spans[flow.sender][0], maker, value)
                groups.setdefault((flow.sender, ends, layout.block), []).append((at, value, flow))
    for group in groups.values():
        group.sort(key=lambda entry: entry[:2])
        takers = [[_taker(placed, tile, value, flow) for tile in flow.to] for _, value, flow in group]
        if len(group) <= FEW or not _as_they_come(placed, spans, group, takers):
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
    placed: Placed, spans: Mapping[str, Spans], group: Sequence[tuple[int, int, Flow]], takers: Sequence[Sequence[Key]]
) -> bool:
    """Whether each node has done with a value before another one takes the next, in all images."""
    sender, made = group[0][2].sender, list[tuple[int, int, Sequence[Key]]]()
    for image, span in enumerate(spans[sender]):
        for (_, value, _), ends in zip(group, takers, strict=True):
            maker = _maker(placed, value)
            assert maker is not None
            made.append((_made_at(placed, span, maker, value), image, sorted(ends)))
    made.sort(key=lambda entry: entry[0])
    for side in zip(*[ends for _, _, ends in made], strict=True):
        taken = [_taken_at(placed, spans[tile][image], k, value)
                 for (tile, k, value), (_, image, _) in zip(side, made, strict=True)]
        if any(a[1] >= b[0] for a, b in pairwise(taken)):
            return False
    return True
