"""Groups of a convolution: several side by side in a product, all that they need and nothing between them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import block_diag

from mho.compiler.mapping import place
from mho.compiler.mapping.parts import GROUP_ROWS, segments
from mho.compiler.program import DITHER
from mho.macro_models.cell_map import DifferentialPairs

CELLS = DifferentialPairs(128, 256)


@settings(deadline=None)
@given(
    groups=st.integers(1, 40), outputs=st.integers(1, 3), inputs=st.sampled_from([1, 4, 9, 25, 150]),
    copies=st.sampled_from([1, None]), seed=st.integers(0, 99),
)
def test_parts_hold_every_weight_once(
    groups: int, outputs: int, inputs: int, copies: int | None, seed: int
) -> None:
    """What the blocks of a layer compute together is its matrix."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(groups * outputs, inputs))
    placement = place([(groups * inputs, groups * outputs, groups)], CELLS, copies=copies)
    (parts,), (rows,), blocks = placement.parts, placement.rows, placement.of_layer(0)
    spread = parts.spread(weight, rows, dither=blocks[0].copies > 1)
    shared, height = parts.share(weight, spread), rows // parts.count
    assert (spread.shape, shared.shape) == ((rows,), (groups * outputs, height))
    products, x = np.zeros(groups * outputs), rng.normal(size=groups * inputs)
    for block in blocks:
        sources = spread[block.first : block.first + len(block.rows)]
        driven = np.where(sources == DITHER, 1.0, x[sources])
        first = block.first % height
        for copy in range(block.copies):
            made_by = block.outputs[block.copy_of == copy]
            weights = shared[made_by, first : first + len(sources)]
            np.add.at(products, made_by, np.matmul(weights, driven) / block.copies)
    np.testing.assert_allclose(products, block_diag(*weight.reshape(groups, outputs, inputs)) @ x, atol=1e-9)


def test_few_groups_load_a_column() -> None:
    """Of 3 x 3 and one channel, seven side by side, for no more products than they need."""
    placement = place([(32 * 9, 32, 32)], CELLS, copies=1)
    assert placement.parts[0].count == len(placement.blocks) == 5
    assert max(len(block.rows) for block in placement.blocks) == 63 <= GROUP_ROWS
    # Without the limit of a core's rows a group that is larger has segments like any other layer.
    assert len(place([(2 * 300, 2 * 10, 2)], CELLS, copies=1).blocks) == 2 * 3


@given(size=st.integers(1, 1000), limit=st.integers(1, 300))
def test_segments_are_few_and_nearly_equal(size: int, limit: int) -> None:
    spans = segments(size, limit)
    sizes = [length for _, length in spans]
    assert (sum(sizes), len(spans)) == (size, -(-size // limit))
    assert max(sizes) <= min(limit, min(sizes) + 1)
    assert [start for start, _ in spans] == [sum(sizes[:k]) for k in range(len(spans))]
