import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.hw.core.shape import OVERHEAD_CYCLES
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.sequencer import pin_operations
from mho.macro_models.errors import InputError
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from tests.hw.amaranth_bench import random_operation

DURATION = {
    "precharge": "reset_cycles", "plane": "plane_cycles", "sample": "sample_cycles", "compare": "compare_cycles",
    "decrement": "decrement_cycles",
}


def test_durations_come_from_the_chip() -> None:
    assert TnsaCoreConfig.from_chip(load_chip("neurram-core")) == TnsaCoreConfig(
        lines=256, reset_cycles=10, plane_cycles=2, sample_cycles=10, compare_cycles=2, decrement_cycles=2, trim=True
    )


def test_durations_are_rounded_up_to_cycles() -> None:
    chip = load_chip("tnsa16-core", {
        "clock.f_clk_MHz": 300.0, "timing.t_reset_ns": 10.0, "timing.t_plane_ns": 0.5, "timing.t_compare_ns": 1.0,
        "timing.t_sample_ns": 10.1,
    })
    cfg = TnsaCoreConfig.from_chip(chip)
    assert (cfg.reset_cycles, cfg.plane_cycles, cfg.compare_cycles, cfg.sample_cycles) == (3, 1, 2, 4)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"lines": 36}, r"^lines must be a multiple of 8, not 36$"),
        ({"compare_cycles": 1}, r"^compare_cycles must be between 2 and 65535, not 1$"),
        ({"sample_cycles": 0}, r"^sample_cycles must be between 1 and 65535, not 0$"),
        ({"reset_cycles": 65536}, r"^reset_cycles must be between 1 and 65535, not 65536$"),
        ({"plane_cycles": 1.5}, r"^plane_cycles must be between 1 and 65535, not 1\.5$"),
    ],
)
def test_refuses_what_is_out_of_range(fields: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        TnsaCoreConfig(**fields)


def test_published_conversion_takes_2120_ns_at_100_MHz() -> None:
    op = TnsaOperation(in_bits=4, out_bits=6)
    assert TnsaCoreConfig().analog_cycles(op, [31]) == 212


def test_cycles_are_the_sum_of_the_operations_at_the_pins() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        cfg = TnsaCoreConfig(
            lines=16, reset_cycles=int(rng.integers(1, 9)), plane_cycles=int(rng.integers(1, 9)),
            sample_cycles=int(rng.integers(1, 9)), compare_cycles=int(rng.integers(2, 9)),
            decrement_cycles=int(rng.integers(1, 9)),
        )
        op = random_operation(rng)
        steps = rng.integers(0, op.max_steps + 1, (3, op.segments))
        expected = [
            sum(getattr(cfg, DURATION[item.name]) for item in pin_operations(cfg, op, row)) for row in steps.tolist()
        ]
        np.testing.assert_array_equal(cfg.analog_cycles(op, steps), expected)
        np.testing.assert_array_equal(cfg.cycles(op, steps), np.array(expected) + OVERHEAD_CYCLES * op.segments)


def test_steps_need_a_column_for_each_segment() -> None:
    with pytest.raises(ValueError, match=r"^Steps must have shape \(\.\.\., 2\), not \(3, 1\)$"):
        TnsaCoreConfig().cycles(TnsaOperation(in_bits=8), np.zeros((3, 1)))
