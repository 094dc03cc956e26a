"""What the soft reset of a core reaches: everything that the reset of its clock does."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from amaranth.hdl import Elaboratable, Signal, Value
from amaranth.hdl._ir import Fragment
from amaranth.lib.wiring import In

from mho.hw.config import load_chip
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.emulator.kinds.tnsa import EMULATOR
from mho.hw.emulator.kinds.tnsa.config import TnsaEmulatorConfig
from mho.hw.host.core.write_host import WriteQueues
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.core import TnsaCore
from tests.hw.amaranth_bench import simulate

CHIP = load_chip("tnsa16-core")
CORE = TnsaCoreConfig.from_chip(CHIP)
WRITE = WriteVerifyConfig.from_chip(CHIP)
EMULATED, EMULATED_WRITE = replace(CORE, trim=False), replace(WRITE, trim=False)


def _driven(fragment: Any, domain: str) -> Iterator[Signal]:
    for statement in fragment.statements.get(domain, ()):
        yield from statement._lhs_signals()
    for inner, _, _ in fragment.subfragments:
        yield from _driven(inner, domain)


class _Elaborated(Elaboratable):
    def __init__(self, fragment: Any) -> None:
        self.fragment = fragment

    def elaborate(self, platform: object) -> Any:
        return self.fragment


@pytest.mark.slow
@pytest.mark.parametrize("make", [
    pytest.param(lambda: TnsaCore(CORE, WRITE), id="core"),
    pytest.param(
        lambda: EMULATOR.component(TnsaEmulatorConfig.of(EMULATED, EMULATED_WRITE, noise=True)), id="emulator"
    ),
    pytest.param(
        lambda: EMULATOR.component(TnsaEmulatorConfig.of(EMULATED, noise=True, serial=True)), id="serial"
    ),
    pytest.param(lambda: WriteQueues(WRITE), id="queues"),
])
def test_every_register_takes_its_initial_value(make: Callable[[], Any]) -> None:
    dut = make()
    ports = [(value, member.flow) for _, member, value in dut.signature.flatten(dut)]
    inputs = [Value.cast(value).as_unsigned() for value, flow in ports if flow is In and value is not dut.soft_reset]
    fragment = Fragment.get(dut, None)
    # A structure may have fields of both kinds; the bench can set only whole signals.
    wires = {id(signal) for signal in _driven(fragment, "comb")}
    registers = {
        id(signal): signal.as_unsigned() for signal in _driven(fragment, "sync")
        if not signal.reset_less and id(signal) not in wires
    }
    rng = random.Random(1)

    async def bench(ctx: Any) -> None:
        initial = {key: ctx.get(register) for key, register in registers.items()}
        for reset in (0, 1) * 8:
            for value in (*inputs, *registers.values()):
                ctx.set(value, rng.getrandbits(len(value)))
            ctx.set(dut.soft_reset, reset)
            await ctx.tick()
            values = {key: ctx.get(register) for key, register in registers.items()}
            assert (values == initial) == bool(reset)

    simulate(_Elaborated(fragment), bench)
