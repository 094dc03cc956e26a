"""Generated cores and chips of tiles as modules of a LiteX SoC, and the models behind their pins in its simulation.

::

    self.tile = mho.litex.Peripheral(platform, "tnsa64-tile", "build/tile")         # in a SoCCore
    self.bus.add_slave("tile", self.tile.bus, self.tile.region(0x8000_0000))
    self.irq.add("tile")
    self.tile.put_models(net, seed=3)                      # in LiteX's simulation; else an array of yours stands there
"""
# LiteX has no types, and not everybody has it.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportOperatorIssue=false, reportOptionalOperand=false

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litex.gen import Cat, ClockSignal, Constant, If, Instance, LiteXModule, ResetSignal
from litex.soc.integration.soc import SoCRegion
from litex.soc.interconnect import wishbone
from litex.soc.interconnect.csr import CSRStatus, CSRStorage
from litex.soc.interconnect.csr_eventmanager import EventManager, EventSourceLevel

from mho.api.chip import Chip, chip_description
from mho.api.compile import load
from mho.api.device import Device, device_model
from mho.api.inputs import PathLike
from mho.api.net import Net
from mho.macro_models.errors import InputError
from mho.sim.embedded import FLAGS, MODULE, Behind
from mho.units import parse_time

__all__ = ["Peripheral"]

_PORT = re.compile(r"^  (input|output) +wire +(?:\[(\d+):0\] +)?(\w+)", re.MULTILINE)


class Peripheral(LiteXModule):
    """A core or a chip of tiles behind its Wishbone bus, of any kind, generated into ``directory``.

    An access that the registers refuse is answered by ``err``, which is a trap of the processor.

    Parameters
    ----------
    platform
        LiteX's; gets the sources.
    chip, keys
        As at :meth:`mho.Chip.load`.
    directory
        As ``mho generate CHIP --wrap wishbone -o DIRECTORY`` writes it; made if it does not exist.
    pins
        Signals at other ports of the top, by name; without one an input is 0.

    Attributes
    ----------
    bus
        Wishbone, 32 bits, words.
    ev
        The interrupt ``line``, as long as what raised it lasts.
    programming_enable
        CSR, 1 after reset: 0 isolates the pins by which cells are programmed.
    bus_cycles
        CSR, wraps: cycles in which an access was under way.
    """

    def __init__(
        self, platform: Any, chip: Chip | PathLike, directory: PathLike, *, pins: Mapping[str, Any] | None = None,
        **keys: object,
    ) -> None:
        self.chip = chip_description(chip, keys)
        self.directory, self._platform = Path(directory).absolute(), platform
        self.top = Chip(self.chip).generate(self.directory, wrap="wishbone").top
        self.bus = bus = wishbone.Interface(data_width=32, address_width=32, addressing="word")
        self.programming_enable = CSRStorage(1, reset=1)
        self.bus_cycles = CSRStatus(32)
        self.ev = EventManager()
        self.ev.line = EventSourceLevel()
        self.ev.finalize()
        self.sync += If(bus.cyc & bus.stb, self.bus_cycles.status.eq(self.bus_cycles.status + 1))
        sources = [self.directory / line for line in (self.directory / f"{self.top}.f").read_text("utf-8").split()]
        for source in sources:
            platform.add_source(str(source))
        ports = {name: (way, int(high or 0) + 1) for way, high, name in _PORT.findall(sources[0].read_text("utf-8"))}
        self.size = 1 << ports["wb_adr_i"][1]
        connected: dict[str, Any] = {
            "clk": ClockSignal(), "rst": ResetSignal(), "rst_n": ~ResetSignal(), "wb_cyc_i": bus.cyc,
            # LiteX counts words.
            "wb_adr_i": Cat(Constant(0, 2), bus.adr[: ports["wb_adr_i"][1] - 2]), "wb_stb_i": bus.stb,
            "wb_we_i": bus.we, "wb_sel_i": bus.sel, "wb_dat_i": bus.dat_w, "wb_ack_o": bus.ack, "wb_err_o": bus.err,
            "wb_dat_o": bus.dat_r, "irq": self.ev.line.trigger,
            "programming_enable": self.programming_enable.storage, **(pins or {}),
        }
        if unknown := next((name for name in pins or {} if name not in ports), ""):
            raise InputError(f"pins: {unknown} must be a port of {self.top}: {', '.join(ports)}")
        self.specials += Instance(self.top, **{
            f"{way[0]}_{name}": connected.get(name, Constant(0, width)) for name, (way, width) in ports.items()
            if way == "input" or name in connected
        })

    def region(self, origin: int) -> Any:
        """Where the processor finds it, uncached: a multiple of its :attr:`size` in bytes."""
        return SoCRegion(origin=origin, size=self.size, cached=False)

    def put_models(
        self, network: Net | PathLike, *, cells: PathLike | None = None, device: Device | PathLike | None = None,
        seed: int = 0, time: str | float = "1d", temp: float = 25.0,
    ) -> None:
        """Have the models of a network's cells answer behind the pins in LiteX's simulation: the bits of functional.

        Cells that the processor programs are pulsed, and products see what became of them. One chip of a simulation
        can have this; flags for the compiler and the linker go into the environment, where LiteX takes them.

        Parameters
        ----------
        network
            Compiled for this chip.
        cells, device, seed, time, temp
            As at :meth:`mho.Net.run`.

        Raises
        ------
        InputError
            If the network is for another chip, or as at :meth:`mho.Net.run`.
        ToolError
            If this Python has no shared library.
        """
        net = network if isinstance(network, Net) else load(network)
        if net.network.chip.sha256 != self.chip.sha256:
            raise InputError(f"network must be compiled for {self.chip.name} as it is here, not for {net.chip.name}")
        path = self.directory / "behind.mho"
        net.save(path)
        behind = Behind(
            network=str(path), cells="" if cells is None else str(Path(cells).absolute()),
            device=device_model(device, net.network.device).to_dict(), seed=seed, time_s=parse_time(time), temp_C=temp)
        behind.cores(net.network)  # refuses what is wrong before a simulator is built
        for source in behind.sources(self.chip, self.directory):
            self._platform.add_source(str(source))
        self.specials += Instance(MODULE, i_clk=ClockSignal())
        for name, flags in FLAGS.items():
            if flags not in (before := os.environ.get(name, "")):
                os.environ[name] = f"{before} {flags}".strip()
