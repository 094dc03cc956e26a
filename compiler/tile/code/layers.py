"""The instructions of a layer at one position: products, their sums, what finishes them."""

from dataclasses import replace

import numpy as np

from mho.compiler.program import Call, Layer, Mvm
from mho.compiler.tile.code.ir import Instruction, mvm, send, vec
from mho.compiler.tile.code.writer import Body, Writer
from mho.compiler.tile.graph.graph import Node
from mho.compiler.tile.lowering.geometry import CODES_IN, CODES_OUT, channels_of, rows_of
from mho.compiler.tile.lowering.operations import Vector, finished_leaf, leaf, root
from mho.compiler.tile.placement.streams import Part, tile_name
from mho.compiler.tile.refusal import NoRoomError
from mho.hw.config import Chip
from mho.hw.core.layout import pack
from mho.hw.tile.isa import Kind, Operand
from mho.hw.tile.isa.window import OUTSIDE, SlidingWindow


def layer_code(writer: Writer, chip: Chip, k: int, node: Node, target: str, body: Body) -> None:
    """What a tile does of the layer of node ``k``: at its root the value comes into ``target``.

    Each product is drained after the next one began. Outputs of another tile come in a stream of their own.
    """
    call = writer.graph.call(k)
    assert call is not None
    placed, layer = writer.placed, writer.program.layers[call.layer]
    parts, value = placed.parts[k], writer.graph.values[node.values[0]]
    mine = [[m for m in part.mvms if tile_name(chip, m.core) == writer.tile] for part in parts]
    stream = placed.rings[writer.tile, k, node.source].name
    walks = [_codes(writer, node.walk, call, layer, m, stream) for products in mine for m in products]
    # Calls that come in their order go on where the one before ended.
    first = writer.first_position(k)
    before = (call.first if first is None else first) * layer.conversions
    number, is_root = 0, writer.tile == placed.root(k)
    ends: list[str] = []
    for p, (part, products) in enumerate(zip(parts, mine, strict=True)):
        if not products:
            continue
        positions = len(call.patches) if first is None else 2
        part_root = replace(layer.root, bias=layer.root.bias[part.first : part.first + part.count])
        alone = (k, p) not in placed.reductions
        at_once = finished_leaf(layer, part_root, part.first, part.mvms) if alone else None
        _products(writer, layer, part, products, walks, number, before, positions, body, drained=at_once is None)
        number += len(products)
        _reduce(writer, k, p, part, body)
        if writer.tile == placed.roots[k, p]:
            finish = at_once or root(part_root)
            reduction = placed.reductions.get((k, p))
            source = Operand.ACCUMULATORS if reduction is None else Operand.RESULT + reduction.context
            source = Operand.DRAIN if at_once else source
            if is_root:
                where = {"target_offset": part.first} if part.first else {}
                name = writer.vec(finish, part.count, target, wide=value.wide, a=source, **where)
                ends.append(name)
                body.add(vec(name, *(["push"] if len(ends) == len(parts) else [])))
            else:
                column = writer.stream(f"col{k}_{p}", part.count * value.width)
                body.add(vec(writer.vec(finish, part.count, column, wide=value.wide, a=source), "push"))
                body.add(send(column, placed.columns[k, p][1].number, "free"))
    for p, part in enumerate(parts) if is_root else ():
        if (k, p) in placed.columns:
            ring = writer.stream(f"col{k}_{p}", part.count * value.width)
            where = {"target_offset": part.first} if part.first else {}
            name = writer.vec(value.copy, part.count, target, wide=value.wide, a=ring, a_format=value.format, **where)
            ends.append(name)
            body.add(vec(name, "free_a", *(["push"] if len(ends) == len(parts) else [])))


def _products(
    writer: Writer, layer: Layer, part: Part, mvms: list[Mvm], walks: list[str], number: int, before: int,
    positions: int, body: Body, *, drained: bool,
) -> None:
    """Products of a part, the first of them number ``number`` of the tile; a walk goes on when it is used last.

    ``before`` are conversions of the layer's calls before this one, which has so many ``positions``. They are
    ``drained`` into the accumulators, unless what follows takes them. The last one gives back what it read.
    """
    begun, drains = set[int](), list[Instruction]()
    for place, product in enumerate(mvms):
        walk = walks[number + place]
        flags = [] if walk in walks[number + place + 1 :] else ["advance"]
        flags += ["free"] if number + place == len(walks) - 1 else []
        body.add(mvm(_product(writer, layer, product, before, positions), walk, *flags))
        if not drained:
            continue
        sums = leaf(layer, product, part.first, begun)
        assert sums.parameters is not None
        drains.append(vec(writer.vec(sums, len(sums.parameters), Operand.ACCUMULATORS, a=Operand.DRAIN)))
        if place:
            body.add(drains.pop(0))
    for drain in drains:
        body.add(drain)


def _reduce(writer: Writer, k: int, p: int, part: Part, body: Body) -> None:
    """Operands of the reduction, if the part is on several tiles."""
    if (k, p) in writer.placed.reductions:
        name = writer.stream(f"part{k}_{p}", 2 * part.count)
        copy = Vector(fields={"kind": Kind.MAX})
        body.add(vec(writer.vec(copy, part.count, name, wide=True, a=Operand.ACCUMULATORS), "push"))
        body.add(send(name, writer.placed.reductions[k, p].context, "reduce", "free"))


def _codes(writer: Writer, walk: SlidingWindow, call: Call, layer: Layer, mvm: Mvm, stream: str) -> str:
    """The walk of a product, proven to give the rows of the layer that it takes."""
    first, count = mvm.first // walk.terms, len(mvm.rows) // walk.terms
    rows = rows_of(walk, first, count)
    contiguous = np.array_equal(mvm.rows, mvm.rows[0] + np.arange(len(mvm.rows))) and mvm.rows[0] % CODES_IN == 0
    if not contiguous or not np.array_equal(layer.spread[mvm.first : mvm.first + len(mvm.rows)], rows):
        raise NoRoomError(f"layer {layer.name!r} must have its rows in the order of a walk, as compiled for tiles")
    pads = call.pad[first * walk.terms : (first + count) * walk.terms].reshape(count, walk.terms)
    if (pads != pads[:, :1]).any() and (walk.pixels == OUTSIDE).any():
        raise NoRoomError(f"layer {layer.name!r} must have one padding a channel for tiles")
    return writer.walk(channels_of(walk, first, count), stream, pads[:, 0])


def _product(writer: Writer, layer: Layer, product: Mvm, before: int, positions: int) -> str:
    """The descriptor of a product."""
    bits = pack(product.op)
    return writer.mvm({
        "i_first": int(product.rows[0]) // CODES_IN, "i_last": int(product.rows[-1]) // CODES_IN,
        "o_first": int(product.columns.min()) // CODES_OUT, "o_last": int(product.columns.max()) // CODES_OUT,
        "operation": product.operation + before, "conversions": layer.conversions,
        "op": bits & 0xFFFFFFFF, "op_high": bits >> 32,
    }, positions)
