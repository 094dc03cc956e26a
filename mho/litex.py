"""Generated cores and chips of tiles as modules of a LiteX SoC, and the models behind their pins in its simulation.

::

    self.tile = mho.litex.Peripheral(platform, "tnsa64-tile", "build/tile")         # in a SoCCore
    self.bus.add_slave("tile", self.tile.bus, self.tile.region(0x8000_0000))
    self.irq.add("tile")
    self.tile.put_models(net, seed=3)                      # in LiteX's simulation; else an array of yours stands there

On an FPGA :class:`EmulatedPeripheral` has the cells in block RAM.
"""
# LiteX has no types, and not everybody has it.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportOperatorIssue=false, reportOptionalOperand=false

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from litex.gen import Cat, ClockSignal, Constant, If, Instance, LiteXModule, ResetSignal
from litex.soc.integration.soc import SoCRegion
from litex.soc.interconnect import wishbone
from litex.soc.interconnect.csr import CSRStatus, CSRStorage
from litex.soc.interconnect.csr_eventmanager import EventManager, EventSourceLevel
from litex.tools.litex_client import RemoteClient
from numpy.typing import NDArray

from mho.api.chip import Chip, chip_description
from mho.api.compile import load
from mho.api.device import Device, device_model
from mho.api.inputs import PathLike
from mho.api.net import Net
from mho.hw.board.tiles import TilesConfig
from mho.hw.chip.map import chip_base
from mho.hw.chip.tops import ChipTop
from mho.hw.config import Chip as ChipDescription
from mho.hw.emulator.kinds import emulator_of
from mho.hw.host.link.tasks import Read, Task
from mho.macro_models.errors import InputError, ToolError
from mho.rtl_gen.verilog.netlist import emit
from mho.runs.backends import BackendOptions
from mho.runs.running import select_causes
from mho.sim.board.tiles.backend import BoardTilesBackend, board_loads, operations_of
from mho.sim.board.tiles.host import TilesHost
from mho.sim.embedded import FLAGS, MODULE, Behind
from mho.sim.executor import build_cores, core_masks
from mho.units import parse_time

__all__ = ["EmulatedPeripheral", "LitexServer", "Peripheral"]

_PORT = re.compile(r"^  (input|output) +wire +(?:\[(\d+):0\] +)?(\w+)", re.MULTILINE)

EMULATOR: dict[str, Any] = {"lanes": 8, "slots": 8}
"""Cells that an emulated core meets in a cycle, and tables of its converters that it holds."""


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
        self.top, sources = self._generated()
        self.bus = bus = wishbone.Interface(data_width=32, address_width=32, addressing="word")
        self.programming_enable = CSRStorage(1, reset=1)
        self.bus_cycles = CSRStatus(32)
        self.ev = EventManager()
        self.ev.line = EventSourceLevel()
        self.ev.finalize()
        self.sync += If(bus.cyc & bus.stb, self.bus_cycles.status.eq(self.bus_cycles.status + 1))
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

    def _generated(self) -> tuple[str, list[Path]]:
        """The top module, and the files of the Verilog, that of the top first."""
        top = Chip(self.chip).generate(self.directory, wrap="wishbone").top
        return top, [self.directory / line for line in (self.directory / f"{top}.f").read_text("utf-8").split()]

    def _compiled(self, network: Net | PathLike) -> Net:
        net = network if isinstance(network, Net) else load(network)
        if net.network.chip.sha256 != self.chip.sha256:
            raise InputError(f"network must be compiled for {self.chip.name} as it is here, not for {net.chip.name}")
        return net

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

        Raises InputError if the network is for another chip, or as at :meth:`mho.Net.run`. Raises ToolError if this
        Python has no shared library.

        Parameters
        ----------
        network
            Compiled for this chip.
        cells, device, seed, time, temp
            As at :meth:`mho.Net.run`.
        """
        net = self._compiled(network)
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


class EmulatedPeripheral(Peripheral):
    """A chip of tiles on an FPGA, whose cells are in block RAM: the codes of ``functional`` without noise of reads.

    Its registers are those of :class:`Peripheral`; the processor writes :meth:`loads` once. The cells do not answer to
    pulses. Parameters as there; what a core is emulated by, :data:`EMULATOR` says.
    """

    def _generated(self) -> tuple[str, list[Path]]:
        top, _ = super()._generated()
        parts = self._config.parts
        own = (self._config, *parts.configurations)
        texts = emit(ChipTop(parts, wrap="wishbone"), name=top, prefix="mho_", reset_low=False, configs=own)
        (self.directory / "emulated").mkdir(exist_ok=True)
        sources = {self.directory / "emulated" / f"{name}.v": text for name, text in texts.items()}
        for path, text in sources.items():
            path.write_text(text, encoding="utf-8")
        return top, list(sources)

    @property
    def _config(self) -> TilesConfig:
        return TilesConfig(chip=self.chip, **EMULATOR)

    def loads(
        self, network: Net | PathLike, *, seed: int = 0, time: str | float = "1d", without: Collection[str] = (),
    ) -> list[tuple[int, list[int]]]:
        """What the emulator holds: runs of words, each with the byte of its first; arguments as of :meth:`mho.Net.run`.

        Raises InputError if the network is for another chip, or cells have what no emulator has, such as noise of
        reads.
        """
        net = self._compiled(network).network
        assert net.tiles is not None
        causes = frozenset(select_causes(without, ()))
        cores = build_cores(net, seed=seed, time_s=parse_time(time), causes=causes)
        for model in cores:
            emulator_of(net.chip).check(self._config.emulator, model)
        tasks = board_loads(
            self._config, net.tiles, lambda node: operations_of(net.program, node), cores, core_masks(net))
        return [(task.address, np.atleast_1d(task.words).tolist()) for node in tasks.values() for task in node]


@dataclass(frozen=True, kw_only=True)
class LitexServer(BackendOptions):
    """A backend of :meth:`mho.Net.run`: an :class:`EmulatedPeripheral` behind LiteX's ``litex_server``.

    The SoC has a bridge, as by ``self.add_uartbone()``; what its processor does must not be this tile's work.
    """

    name: ClassVar[str] = "fpga"
    of_cores: ClassVar[str] = "mho.litex:BridgedTiles"

    host: str = "localhost"
    port: int = 1234
    base: int = 0x8000_0000
    """Where the server is; address of the region of the tile."""


class Bridge:
    """Words of a chip at ``base`` through a client of LiteX, as a :class:`mho.sim.board.bus.BoardBus`."""

    def __init__(self, client: Any, base: int) -> None:
        self.client, self.base = client, base

    def execute(
        self, tasks: Iterable[Task], *, progress: Callable[[int, int], None] | None = None
    ) -> list[NDArray[np.uint32]]:
        """Execute accesses in their order; the words that each of them read."""
        answers = [np.array(list(self._words(task)), np.uint32) for task in tasks]
        if progress is not None:
            progress(len(answers), len(answers))
        return answers

    def _words(self, task: Any) -> Iterable[int]:
        words = [] if isinstance(task, Read) else np.atleast_1d(task.words).astype(np.uint32).tolist()
        done = 0
        for piece in task.pieces(lambda: 255):
            if isinstance(task, Read):
                yield from self.client.read(self.base + piece.address, piece.words, "incr" if piece.step else "fixed")
            else:
                self.client.write(self.base + piece.address, words[done : done + piece.words])
            done += piece.words


class BridgedTiles(BoardTilesBackend):
    """What :class:`LitexServer` opens, with its fields."""

    name = "fpga"

    def __init__(
        self, *, host: str = LitexServer.host, port: int = LitexServer.port, base: int = LitexServer.base
    ) -> None:
        super().__init__()
        self._client = RemoteClient(host=host, port=port)
        self._bus = Bridge(self._client, base)

    def _connect(self, chip: ChipDescription, *, noise: bool) -> TilesConfig:
        cfg, at = TilesConfig(chip=chip, **EMULATOR), f"{self._client.host}:{self._client.port}"
        try:
            self._client.open()
        except OSError as error:
            raise ToolError(f"{at}: no litex_server answers ({error.strerror or error})") from None
        register = chip_base(cfg.parts.mesh) + cfg.parts.page["description"].address
        if int(self._bus.execute([Read(register)])[0][0]) != int(chip.sha256[:8], 16):
            raise ToolError(f"{at}: the SoC must have a tile of {chip.name} as it is here at {self._bus.base:#x}")
        return cfg

    def _host(self, cfg: TilesConfig) -> TilesHost:
        return TilesHost(self._bus, cfg.parts, looks=1, patience=2000)

    def close(self) -> None:
        """End the session."""
        self._client.close()
