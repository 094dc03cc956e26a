"""Both ends of the link with the pins of the hardware between them."""

import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import verilog

from mho.fpga.link.client import LinkClient
from mho.fpga.link.simulated import PinsTransport
from mho.fpga.link.transport import BusFault
from mho.hw.host.link.format import LinkConfig
from mho.hw.host.link.uart import UartConfig
from mho.sim.build.bench import build_bench
from tests.fpga.link.noisy_line import ByteNoise
from tests.fpga.link.probe import HANG, ProbeTop
from tests.fpga.link.trial import Trial, run_garbage, run_resets

UART = UartConfig(clock_hz=25_000_000, baud=3_000_000)
CFG = LinkConfig(address_width=16, timeout=1000)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = verilog.convert(ProbeTop(CFG, UART), name="mho_top", emit_src=False)
    return build_bench(tmp_path_factory.mktemp("link"), text, "mho_top")


@pytest.fixture
def line(program: Path) -> Iterator[PinsTransport]:
    rng = np.random.default_rng(2)
    line = PinsTransport(program, UART, to_device=ByteNoise(1e-3, rng), to_host=ByteNoise(1e-3, rng))
    yield line
    line.close()


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
@pytest.mark.parametrize(("transactions", "resets", "garbage"), [
    (120, 6, 6_000), pytest.param(10_000, 50, 1_000_000, marks=pytest.mark.long),
])
def test_every_access_once_whatever_happens(line: PinsTransport, transactions: int, resets: int, garbage: int) -> None:
    numbers = count(1)
    client = LinkClient(line, patience=60, wait=0.002, nonce=lambda: next(numbers))
    client.open()
    trial = Trial(client, None, random.Random(1))
    for _ in range(transactions):
        trial.step()
    trial.check()
    assert run_resets(trial, line, resets) > 1
    run_garbage(trial, line, garbage)
    with pytest.raises(BusFault, match=r"the bus of the board did not answer$"):
        client.read(HANG)
    with pytest.raises(BusFault, match=r"the bus of the board did not answer$"):
        client.read(0)
    line.reset_link()
    client.recover()
    trial.check()
