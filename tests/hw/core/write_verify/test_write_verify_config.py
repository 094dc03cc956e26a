"""Registers of write-verify: what is legal, in software and in hardware; dead lines."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, Value

from mho.hw.core.write_verify.config import ParameterLayout, WriteVerifyConfig, WriteVerifyParameters
from mho.hw.core.write_verify.decision import RegisterCheck
from mho.hw.core.write_verify.reference import dead_lines, map_words
from mho.macro_models.errors import InputError
from tests.hw.amaranth_bench import simulate

CFG = WriteVerifyConfig(lines=16, pulses=True)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"lines": 36}, "lines must be a multiple of 8, not 36"),
        ({"verify_bits": 7}, "verify_bits must be between 8 and 12, not 7"),
        ({"setup_cycles": 0}, "setup_cycles must be between 1 and 65535, not 0"),
        ({"verify_cycles": 1}, "verify_cycles must be between 2 and 65535, not 1"),
    ],
)
def test_wrong_config(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        WriteVerifyConfig(**values)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"passes": 0}, "passes must be between 1 and 15, not 0"),
        ({"set_cycles": 0}, "set_cycles must be between 1 and 16777215, not 0"),
        ({"confirmations": 4}, "confirmations must be between 0 and 3, not 4"),
        ({"reset_start": 256}, "reset_start must be between 0 and 255, not 256"),
        ({"wait_cycles": 1.5}, "wait_cycles must be between 0 and 4294967295, not 1.5"),
        ({"set_start": 166}, "set_start must be at most set_ceiling, which is 165, not 166"),
    ],
)
def test_wrong_registers(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        WriteVerifyParameters(**values)
    assert str(caught.value) == sentence


def test_a_tolerance_beyond_the_converter_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        WriteVerifyParameters(tolerance=1024).pack(CFG)
    assert str(caught.value) == "tolerance must be below 1024, not 1024"


def test_every_register_has_its_place() -> None:
    p = replace(WriteVerifyParameters(), form=True, max_pulses=40_000)
    fields = ParameterLayout(CFG).from_bits(p.pack(CFG))
    assert {name: fields[name] for name in asdict(p)} == {name: int(value) for name, value in asdict(p).items()}
    assert ParameterLayout(CFG).size == sum(ParameterLayout(CFG)[name].width for name in asdict(p))


def test_hardware_and_software_agree_on_what_is_legal() -> None:
    dut, rng = RegisterCheck(CFG), np.random.default_rng(0)
    counts = [0, 0]

    async def bench(ctx: Any) -> None:
        for _ in range(300):
            values = {name: getattr(WriteVerifyParameters(), name) for name in asdict(WriteVerifyParameters())}
            for kind in ("set", "reset", "form"):
                values |= {f"{kind}_cycles": int(rng.integers(8)), f"{kind}_start": int(rng.integers(100, 200))}
                values |= {f"{kind}_ceiling": int(rng.integers(150, 256))}
            values |= {"passes": int(rng.integers(0, 16))}
            try:
                WriteVerifyParameters(**values)
                legal = 1
            except InputError:
                legal = 0
            packed = ParameterLayout(CFG).const({name: int(v) for name, v in values.items()}).as_bits()
            ctx.set(Value.cast(dut.p), packed)
            await ctx.delay(1e-9)
            assert ctx.get(dut.legal) == legal
            counts[legal] += 1

    clocked = Module()
    clocked.submodules.dut = dut
    clocked.d.sync += Signal().eq(1)
    simulate(clocked, bench)
    assert min(counts) > 30


def test_dead_lines_are_found_though_they_cross() -> None:
    faults = np.zeros((16, 16), dtype=np.bool_)
    faults[3] = True
    faults[:9, 5] = True  # eight of them on live bit lines, of 15
    faults[1, 1] = True
    rows, columns = dead_lines(faults)
    assert np.flatnonzero(rows).tolist() == [3]
    assert np.flatnonzero(columns).tolist() == [5]
    assert not dead_lines(np.ones((16, 16), dtype=np.bool_))[1].any()


def test_words_of_the_map() -> None:
    faults = np.zeros((64, 64), dtype=np.bool_)
    faults[1, 33] = True
    words = map_words(WriteVerifyConfig(lines=64), faults)
    assert len(words) == 128
    assert {k: word for k, word in enumerate(words) if word} == {3: 2}
