import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.hw.core.layout import OpLayout, pack, pack_codes, pack_inputs, unpack_codes
from mho.hw.core.masks import MaskFile
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models import Masks
from mho.macro_models.integer.operation import Direction
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation
from mho.sim.core.words import MaskImage, input_words, op_words, output_codes, reserved_words


@given(
    st.sampled_from(Direction), st.integers(1, 8), st.booleans(), st.integers(1, 8), st.sampled_from(Converter),
    st.integers(0, 7), st.integers(1, 65535), st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4),
)
def test_descriptors_are_those_of_the_core(direction, in_bits, in_signed, out_bits, converter, select, step, ids):
    op = TnsaOperation(
        direction=direction, in_bits=in_bits, in_signed=in_signed, out_bits=out_bits, converter=converter,
        wl_select=select, line_select=7 - select, step_code=step,
    )
    words = op_words(op, np.array(ids, dtype=np.uint64))
    assert [int.from_bytes(row.astype("<u4").tobytes(), "little") for row in words] == [pack(op, i) for i in ids]


def test_a_reserved_descriptor_differs_in_its_mode_alone():
    op = TnsaOperation()
    (words,) = reserved_words(op)
    packed = int.from_bytes(words.astype("<u4").tobytes(), "little")
    assert packed ^ pack(op, 0) == 1 << OpLayout()["mode"].offset


@pytest.mark.parametrize("codes", [8, 128, 256])
def test_inputs_are_packed_as_the_core_unpacks_them(codes):
    x = np.random.default_rng(0).integers(-127, 128, (5, codes))
    assert input_words(x).tolist() == [word for row in x for word in pack_inputs(row)]


def test_outputs_are_unpacked_as_the_core_packs_them():
    codes = np.random.default_rng(0).integers(-(2**15), 2**15, (7, 16)).astype(np.int16)
    words = np.array([word for row in codes for word in pack_codes(row)], dtype=np.uint32)
    assert np.array_equal(output_codes(words, 16), codes)
    assert np.array_equal(output_codes(words, 16), unpack_codes(words.reshape(7, 8)))


@given(st.integers(0, 2**32 - 1), st.sampled_from([16, 64]))
def test_written_words_bring_the_core_to_the_masks(seed, lines):
    cfg = TnsaCoreConfig(lines=lines)
    rng = np.random.default_rng(seed)
    image, core = MaskImage(cfg), MaskFile(cfg)
    for _ in range(4):
        masks = Masks(
            rng.random((8, lines)) < 0.5, rng.random((8, lines)) < 0.5, rng.random(lines) < 0.1, rng.random(lines) < 0.1
        )
        op = TnsaOperation(wl_select=int(rng.integers(8)), line_select=int(rng.integers(8)))
        for address, word in image.update(op, masks).tolist():
            core.write(address, word)
        written = core.as_masks()
        assert np.array_equal(written.wl[op.wl_select], masks.wl[op.wl_select])
        assert np.array_equal(written.lines[op.line_select], masks.lines[op.line_select])
        assert np.array_equal(written.bl_skip, masks.bl_skip)
        assert np.array_equal(written.sl_skip, masks.sl_skip)
        assert len(image.update(op, masks)) == 0, "nothing is written twice"
