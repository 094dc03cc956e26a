import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.compiler.mapping.packing.pack import MASKS
from mho.compiler.mapping.place import Placement, place
from mho.macro_models.cell_map import DifferentialPairs
from mho.macro_models.errors import InputError
from tests.compiler.mapping.dead_lines import dead_lines


def pairs(lines: int) -> DifferentialPairs:
    return DifferentialPairs(lines // 2, lines)


def check(placement: Placement, shapes: list[tuple[int, int]]) -> None:
    """No two blocks share a cell, every weight is somewhere, and the masks select exactly the block."""
    lines = placement.cell_map.columns
    uses = np.zeros((placement.cores, lines // 2, lines), dtype=int)
    for block in placement.blocks:
        bl_skip, sl_skip = placement.dead_lines(block.core)
        uses[np.ix_([block.core], block.rows, block.columns)] += 1
        wl = placement.word_lines(block.core)[block.wl_select]
        assert np.flatnonzero(wl).tolist() == sorted([*(2 * block.rows), *(2 * block.rows + 1)])
        assert np.flatnonzero(placement.converted_lines(block.core)[block.line_select]).tolist() == sorted(
            block.columns
        )
        assert not bl_skip[wl].any()
        assert not sl_skip[block.columns].any()
        assert max(block.wl_select, block.line_select) < MASKS
    assert uses.max() == 1
    for layer, (inputs, outputs) in enumerate(shapes):
        rows = placement.rows[layer]
        assert rows >= inputs
        covered = np.zeros((rows, outputs), dtype=int)
        for block in placement.of_layer(layer):
            for output in block.outputs:
                covered[block.first : block.first + len(block.rows), output] += 1
        assert (covered == covered[0, 0]).all()
        first = placement.of_layer(layer)[0]
        assert covered[0, 0] == first.copies * first.slices
        for block in placement.of_layer(layer):
            # Each copy of an output has each of its slices once.
            pairs = list(zip(block.slice_of.tolist(), block.outputs.tolist(), strict=True))
            assert sorted(set(pairs)) == sorted(pairs[: len(pairs) // block.copies])
            assert pairs == pairs[: len(pairs) // block.copies] * block.copies


shape_lists = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=6)


@pytest.mark.slow
@given(shapes=shape_lists, copies=st.sampled_from([None, 1, 3]), data=st.data())
@settings(max_examples=60)
def test_any_network_on_any_core(shapes: list[tuple[int, int]], copies: int | None, data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from([16, 64]))
    faults = {}
    for core in data.draw(st.sets(st.integers(0, 3), max_size=2)):
        dead = data.draw(st.lists(st.integers(0, lines - 1), max_size=6))
        bits, sources = np.zeros(lines, dtype=bool), np.zeros(lines, dtype=bool)
        bits[dead[::2]], sources[dead[1::2]] = True, True
        faults[core] = dead_lines(bits, sources)
    slices = data.draw(st.none() | st.lists(st.integers(1, 4), min_size=len(shapes), max_size=len(shapes)))
    placement = place(shapes, pairs(lines), copies=copies, faults=faults, slices=slices)
    check(placement, shapes)
    for layer, count in enumerate(slices or []):
        assert {b.slices for b in placement.of_layer(layer)} == {count}


def test_slices_lie_in_columns_of_one_product() -> None:
    (block,) = place([(8, 3)], pairs(16), slices=[2]).blocks
    assert (block.copies, block.slices) == (2, 2)
    assert block.outputs.tolist() == [0, 1, 2] * 4
    assert block.slice_of.tolist() == [0, 0, 0, 1, 1, 1] * 2


def test_more_slices_than_columns() -> None:
    sources = np.ones(16, dtype=bool)
    sources[:2] = False
    with pytest.raises(InputError, match="slices is 3, but a core has 2 usable columns"):
        place([(2, 2)], pairs(16), faults={0: dead_lines(np.zeros(16, dtype=bool), sources)}, slices=[3])


def test_small_layers_share_a_core() -> None:
    placement = place([(64, 48), (48, 10)], pairs(256), copies=4)
    assert placement.cores == 1
    assert [b.copies for b in placement.blocks] == [4, 4]


def test_row_segments_lie_side_by_side() -> None:
    placement = place([(196, 64), (64, 10)], pairs(256), copies=1)
    assert placement.cores == 1
    first, second = placement.of_layer(0)
    assert (first.first, len(first.rows), second.first, len(second.rows)) == (0, 98, 98, 98)
    assert first.rows.tolist() == second.rows.tolist()
    assert first.wl_select == second.wl_select
    assert not set(first.columns) & set(second.columns)


def test_copies_need_no_more_cores() -> None:
    shapes = [(128, 200), (100, 256), (30, 30)]
    assert place(shapes, pairs(256)).cores == place(shapes, pairs(256), copies=1).cores == 2


def test_more_than_eight_blocks_take_another_core() -> None:
    placement = place([(2, 2)] * 9, pairs(64), copies=1)
    assert placement.cores == 2
    check(placement, [(2, 2)] * 9)


def test_dead_lines_are_avoided() -> None:
    bits, sources = np.zeros(16, dtype=bool), np.zeros(16, dtype=bool)
    bits[[0, 5]], sources[3] = True, True
    placement = place([(6, 15)], pairs(16), copies=1, faults={0: dead_lines(bits, sources)})
    (block,) = placement.blocks
    assert block.rows.tolist() == [1, 3, 4, 5, 6, 7]
    assert 3 not in block.columns


def test_a_core_without_a_line() -> None:
    none, every = np.zeros(16, dtype=bool), np.ones(16, dtype=bool)
    with pytest.raises(InputError, match="without a usable row pair or column"):
        place([(2, 2)], pairs(16), faults={0: dead_lines(every, none)})


def test_layers_take_more_cores_only_where_the_host_schedules_anyway() -> None:
    """And then for no more products."""
    shapes = [(100, 60), (120, 120), (300, 100), (120, 90)]
    few, many = place(shapes, pairs(256)), place(shapes, pairs(256), cores=1)
    assert 1 < few.cores < many.cores <= len(many.blocks)
    assert len(many.blocks) == len(few.blocks)
    assert place(shapes, pairs(256), cores=few.cores).cores == few.cores


def test_noise_of_layers_falls_alike() -> None:
    """The largest layer does not keep a single copy while small ones have plenty."""
    placement = place([(10, 64), (64, 32), (32, 1)], pairs(256))
    assert placement.cores == 1
    shared = [placement.rows[k] * placement.of_layer(k)[0].copies / inputs for k, inputs in enumerate((10, 64, 32))]
    assert min(shared) >= 8
