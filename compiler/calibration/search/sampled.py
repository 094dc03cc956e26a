"""Some outputs of a large layer, which stand for all of it while its candidates are tried.

What a candidate costs goes with the products that it takes, and a layer of hundreds is alike all over: its formats,
ranges and clipping are found on some of its outputs, with all of their rows, on a perfect chip and two of the device.
The columns that are tried lie side by side on cores of their own.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mho.compiler.calibration.trials.bench import Bench
from mho.compiler.calibration.trials.candidates import Site, Stand
from mho.compiler.mapping import Placement
from mho.compiler.mapping.packing.pack import MASKS
from mho.compiler.mapping.weights import Block
from mho.macro_models.types import Flags, Integral

MOST_PRODUCTS = 12
"""Products of a layer that are tried, where those of one output are not more."""
GROUP_PRODUCTS = 6
"""The same of a layer with groups, whose products are of a few outputs each and all alike."""
MOST_OUTPUTS = 64
"""Outputs of each of them; no more products of fewer outputs than make as many together."""
CHIPS, FEWEST_CHIPS = 3, 2
"""Chips on which they are tried at most, a perfect one among them, one less than there are; and at least."""



def sampled(bench: Bench, site: Site) -> Site:
    """The same layer with some of its outputs; itself where it has few products.

    Behind a layer of a chain the rest of the network is computed, from all outputs; and known faults are somewhere.
    """
    blocks = site.stand.placement.of_layer(site.index)
    if not is_large(bench, site.index) or site.stand.placement.faults:
        return site
    parts = site.stand.placement.parts[site.index].count
    chosen = _choose(blocks, MOST_PRODUCTS if parts == 1 else GROUP_PRODUCTS)
    outputs = np.concatenate(list(chosen.values()))
    cut = _side_by_side([(b, np.isin(b.outputs, chosen[_place(b)])) for b in blocks if _place(b) in chosen], bench)
    blocks = tuple(replace(b, outputs=np.searchsorted(outputs, b.outputs).astype(np.int32)) for b in cut)
    placement = replace(
        site.stand.placement, blocks=blocks, cores=blocks[-1].core + 1, least=blocks[-1].core + 1
    )
    chips = min(CHIPS, max(FEWEST_CHIPS, len(site.stand.kinds) - 1))
    return replace(
        site, wanted=site.wanted[:, outputs], values=site.values[:chips], taken=_taken(placement, site.index),
        stand=Stand.of(placement, site.stand.kinds[:chips], outputs),
    )


def is_large(bench: Bench, layer: int) -> bool:
    """Whether a layer has so many products that some of its outputs stand for all."""
    return len(bench.placement.of_layer(layer)) > MOST_PRODUCTS and not bench.network.is_chain


def _taken(placement: Placement, layer: int) -> Integral | None:
    """Inputs that the blocks of a layer take: those of their parts, None for all."""
    parts = placement.parts[layer]
    if parts.count == 1:
        return None
    rows, edges = placement.rows[layer] // parts.count, parts.edges(parts.inputs)
    segments = sorted({block.first // rows for block in placement.of_layer(layer)})
    return np.concatenate([np.arange(edges[k][0], sum(edges[k])) for k in segments])


def _place(block: Block) -> int:
    """Which outputs a block makes, by the first: the same for all segments of its rows."""
    return int(block.outputs.min())


def _choose(blocks: Sequence[Block], most_products: int) -> dict[int, Integral]:
    """Outputs that are tried, of so many products, by the first of those that their blocks make, in ascending order."""
    places = sorted({_place(b) for b in blocks})
    outputs_each = np.mean([len(np.unique(b.outputs)) for b in blocks])
    count = min(len(places), max(1, most_products * len(places) // len(blocks)), -int(-MOST_OUTPUTS // outputs_each))
    segments = {places[k * len(places) // count] for k in range(count)}
    chosen: dict[int, Integral] = {}
    for block in blocks:
        if _place(block) in segments:
            outputs = np.unique(block.outputs)
            limit = min(len(outputs), MOST_OUTPUTS)
            chosen[_place(block)] = outputs[np.arange(limit) * len(outputs) // limit]
    return dict(sorted(chosen.items()))


def _side_by_side(parts: Sequence[tuple[Block, Flags]], bench: Bench) -> list[Block]:
    """Blocks of some columns of others, in the columns of as few cores as they take one after the other."""
    moved: list[Block] = []
    core, used, masks = 0, 0, 0
    for block, columns in parts:
        width = int(columns.sum())
        if used + width > bench.config.cell_map.columns or masks == MASKS:
            core, used, masks = core + 1, 0, 0
        moved.append(replace(
            block, core=core, columns=np.arange(used, used + width, dtype=np.int32), outputs=block.outputs[columns],
            wl_select=masks, line_select=masks,
        ))
        used, masks = used + width, masks + 1
    return moved
