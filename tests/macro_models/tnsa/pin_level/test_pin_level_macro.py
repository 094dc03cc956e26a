"""The macro at pin level, driven strobe by strobe as the core drives it, against the batched model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mho.macro_models import load_device
from mho.macro_models.errors import ToolError
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, Direction
from mho.macro_models.integer.tnsa.operation import Converter
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel
from mho.macro_models.tnsa.pin_level.macro import PinLevelTnsa


def drive_conversion(
    macro: PinLevelTnsa, case: Any, x: NDArray[np.int64], planes: int, op_id: int, enabled: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], int]:
    """One conversion at the pins: codes in half steps and decrements. ``x`` holds the physical driven lines."""
    op = case.op
    wl = case.masks.word_lines(op)
    macro.precharge()
    for plane in reversed(range(planes)):
        bit = np.abs(x) >> plane & 1 == 1
        for _ in range(2**plane):
            macro.sample(op.direction is Direction.BACKWARD, bit & (x > 0), bit & (x < 0), wl)
    negative = macro.compare(True, op_id)
    count, decrements = np.zeros(len(x), dtype=np.int64), 0
    if op.converter is Converter.BINARY:
        for bit in reversed(range(op.out_bits - 1)):
            macro.decrement(bit, op.step_code)
            count += (macro.compare(True, op_id) == negative).astype(np.int64) << bit
            decrements += 1
    else:
        counting = np.ones(len(x), dtype=bool)
        waiting = enabled & ~negative if op.relu else enabled.copy()
        while decrements < op.max_steps and (waiting.any() or not op.early_stop):
            macro.decrement(0, op.step_code)
            flipped = macro.compare(False, op_id) != negative
            counting &= ~flipped
            waiting &= ~flipped
            count += counting
            decrements += 1
    code = np.where(negative, 0 if op.relu else -(2 * count + 1), 2 * count + 1)
    return np.where(enabled, code, 0), decrements


@pytest.mark.slow
@settings(max_examples=120)
@given(seed=st.integers(0, 2**32 - 1), noisy=st.booleans())
def test_strobes_give_what_the_model_gives(random_case: Callable[..., Any], seed: int, noisy: bool) -> None:
    case = random_case(np.random.default_rng(seed), noisy=noisy, batch=2)
    op, model, masks = case.op, case.model, case.masks
    result = model.mvm(op, masks, case.x, case.op_ids)
    macro = PinLevelTnsa(model)
    enabled = masks.enabled(op)
    for k, x in enumerate(case.x):
        lines = x if op.direction is Direction.BACKWARD else np.stack([x, -x], axis=-1).reshape(-1)
        lines = np.where(masks.driven(op), lines, 0)
        codes = np.zeros(len(lines), dtype=np.int64)
        for segment, planes in enumerate(op.segment_planes):
            part = lines
            if op.segments == 2:
                magnitude = np.abs(lines)
                shifted = magnitude >> LSB_SEGMENT_BITS if segment == 0 else magnitude % 2**LSB_SEGMENT_BITS
                part = np.sign(lines) * shifted
            op_id = (int(case.op_ids[k]) + segment) % 2**64
            segment_codes, decrements = drive_conversion(macro, case, part, planes, op_id, enabled)
            codes = codes * 2**LSB_SEGMENT_BITS + segment_codes
            assert decrements == result.steps[k, segment]
        assert np.array_equal(codes, result.codes[k])


@pytest.fixture
def macro() -> PinLevelTnsa:
    target = np.full((4, 4), 20.0)
    return PinLevelTnsa(TnsaModel(TnsaConfig(lines=4), target, device=load_device("ideal"), seed=0, core=0))


def lines(*on: int) -> NDArray[np.bool_]:
    return np.isin(np.arange(4), on)


def test_a_line_driven_to_both_sides_is_refused(macro: PinLevelTnsa) -> None:
    with pytest.raises(ToolError, match=r"^line 2 is driven to both sides$"):
        macro.sample(False, lines(0, 2), lines(2), lines(0, 1, 2, 3))


@pytest.mark.parametrize(("backward", "on"), [(True, (0, 1)), (False, (0,))])
def test_direction_and_word_lines_are_fixed_during_a_conversion(
    macro: PinLevelTnsa, backward: bool, on: tuple[int, ...]
) -> None:
    macro.sample(False, lines(0), lines(1), lines(0, 1))
    with pytest.raises(ToolError, match=r"^direction and word lines must stay as they are "):
        macro.sample(backward, lines(0), lines(1), lines(*on))
    macro.precharge()
    macro.sample(backward, lines(0), lines(1), lines(*on))


def test_charge_is_the_sum_of_samples_less_decrements(macro: PinLevelTnsa) -> None:
    # One row of four pairs against three: V = 1/4 V_read per sample; a step of 2**14 / 8 takes half of that.
    macro.sample(False, lines(0), lines(), lines(0, 1, 2, 3))
    assert not macro.compare(True, 0).any()
    macro.decrement(0, 2048)
    assert not macro.compare(False, 0).any()
    macro.decrement(1, 2048)
    assert macro.compare(True, 0).all()
    macro.decrement(1, 2048)
    assert not macro.compare(False, 0).any()
