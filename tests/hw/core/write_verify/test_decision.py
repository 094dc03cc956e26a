"""What follows a verify read, at the ends of the amplitude."""

from typing import Any

import pytest

from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.core.write_verify.decision import Decision
from mho.macro_models.integer.pulse import Polarity
from tests.hw.amaranth_bench import simulate


@pytest.mark.parametrize(("polarity", "code", "name"), [(Polarity.SET, 10, "set"), (Polarity.RESET, 50, "reset")])
@pytest.mark.parametrize("ceiling", [200, 255])
def test_an_amplitude_grows_up_to_the_ceiling(polarity: Polarity, code: int, name: str, ceiling: int) -> None:
    dut = Decision(WriteVerifyConfig(lines=16))

    async def drive(ctx: Any) -> None:
        for key, value in ((f"{name}_ceiling", ceiling), (f"{name}_step", 7), (f"{name}_start", 3),
                           ("max_pulses", 100), ("max_at_ceiling", 10), ("max_reversals", 10), ("tolerance", 2)):
            ctx.set(dut.p[key], value)
        ctx.set(dut.target, 30)
        ctx.set(dut.code, code)
        ctx.set(dut.run.started, 1)
        ctx.set(dut.run.polarity, polarity)
        for amplitude in range(ceiling - 20, ceiling + 1):
            ctx.set(dut.run.amplitude, amplitude)
            await ctx.tick()
            assert ctx.get(dut.next.amplitude) == min(amplitude + 7, ceiling)
            assert ctx.get(dut.next.at_ceiling) == (amplitude + 7 >= ceiling)

    simulate(dut, drive)
