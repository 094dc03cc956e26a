"""A network on the tile of a SoC, through LiteX's own server and client."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import mho
from mho.api.net import Net
from mho.hw.board.tiles import TilesConfig
from mho.hw.host.link.tasks import Read, Write
from mho.sim.board.bus import BusSimulation
from mho.sim.board.tiles.backend import PARTS
from tests.sim.export.test_export_c import layer

litex = pytest.importorskip("mho.litex", reason="litex is not installed (mho[litex])")
BASE = 0x9000_0000


class SimulatedBridge:
    """What is between LiteX's server and a SoC: here the Verilog of the emulated chip."""

    def __init__(self, bus: BusSimulation) -> None:
        self.bus = bus

    def open(self) -> None:
        """It is."""

    def read(self, addr: int, length: int, burst: str) -> list[int]:
        return self.bus.execute([Read(addr - BASE, length, increment=burst == "incr")])[0].tolist()

    def write(self, addr: int, data: list[int]) -> None:
        self.bus.execute([Write(addr - BASE, data)])


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.filterwarnings("ignore:setDaemon")
def test_a_network_on_the_tile_of_a_soc_gives_what_functional_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    from litex.tools.litex_server import RemoteServer

    emulator: dict[str, Any] = {"lanes": 16, "slots": 4}
    monkeypatch.setattr(litex, "EMULATOR", emulator)
    network, x = layer()
    net = Net(replace(network, chip=network.chip.hardware(*PARTS)))
    bus = BusSimulation(TilesConfig(chip=net.network.chip, **emulator))
    server = RemoteServer(SimulatedBridge(bus), "localhost", 0)
    server.open()
    server.start(1)
    options = {"seed": 3, "without": ["read-noise"]}
    behind = litex.LitexServer(port=server.socket.getsockname()[1], base=BASE)
    outputs = net.run(x, backend=behind, **options).outputs
    assert bus.cycles > 10_000
    np.testing.assert_array_equal(outputs, net.run(x, **options).outputs)
    with pytest.raises(mho.ToolError, match=r"the SoC must have a tile of tnsa\S+ as it is here at 0x90000000"):
        Net(network).run(x, backend=litex.LitexServer(port=behind.port, base=BASE), **options)
    bus.close()


def test_no_server_is_said_in_a_sentence() -> None:
    network, x = layer()
    with pytest.raises(mho.ToolError, match="localhost:1: no litex_server answers"):
        Net(network).run(x, backend=litex.LitexServer(port=1), without=["read-noise"])
