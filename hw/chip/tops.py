"""The tops of a chip, bare or behind a bus: the core with its macro, or the mesh of tiles with its registers."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import connect, flipped

from mho.hw.block import may_be_late, reset_late
from mho.hw.chip.map import PAGE_BITS, QUEUE, ChipParts, address_width, chip_base, record_words
from mho.hw.config import Chip as Description
from mho.hw.core.port import join
from mho.hw.host.bank import RegisterBank
from mho.hw.host.bridges.axil import AxiLiteBridge
from mho.hw.host.bridges.wishbone import WishboneBridge
from mho.hw.host.bus import BusSplit, Region, RegisterBus
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.host.link.format import LinkConfig
from mho.hw.host.link.uart import UartBridge, UartConfig
from mho.hw.host.registers import RegisterMap
from mho.hw.kinds import core_blocks
from mho.hw.macro.contract import ENABLE
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.fifo import FlitFifo
from mho.hw.noc.flit import Arrival, BodyLayout, FlitLayout
from mho.hw.noc.interface.tables import destination_bits
from mho.hw.noc.registers.packet import host_address_bits
from mho.hw.ports import Component, In, Out
from mho.hw.tile.rtl.tile import Tile, TileMesh
from mho.macro_models.errors import InputError

_TAG_AT = 16


class FlitPort(Component):
    """Flits from and to the host through windows of a register bus, and what the chip is.

    Parameters
    ----------
    map
        Its registers, of :func:`mho.hw.chip.map.chip_page`.
    """

    bus = In(lambda self: RegisterBus(self.map.address_width))
    """The registers."""
    send = Out(lambda self: stream.Signature(FlitLayout(self.mesh)))
    """Flits of the host."""
    receive = In(lambda self: Arrival(BodyLayout(self.mesh)))
    """Flits for the host."""
    lost = In(1)
    """A flit of the host was dropped."""
    core_irq = In(1)
    any_tile_irq = In(1)
    tile_irq = In(lambda self: self.mesh.nodes)
    irq = Out(1)
    """Interrupts of a core, of a tile and of each of them, and that of the chip."""

    def __init__(self, mesh: MeshConfig, map: RegisterMap) -> None:
        self.mesh, self.map = mesh, map
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bank: Any = RegisterBank(self.map)
        m.submodules.registers = bank
        connect(m, flipped(self.bus), bank.bus)
        status, enable = bank.status, bank.interrupt_enable
        failed = status.refused.value | status.lost.value | status.overflow.value
        m.d.comb += [
            status.core.eq(self.core_irq), status.tile.eq(self.any_tile_irq), status.lost.set.eq(self.lost),
            self.irq.eq((self.core_irq & enable.core) | (self.any_tile_irq & enable.tile)
                        | (status.waiting.any() & enable.waiting)
                        | (failed & enable.error)),
        ]
        for k, first in enumerate(range(0, self.mesh.nodes, 32)):
            m.d.comb += getattr(bank, f"raised_{k}").tiles.eq(self.tile_irq[first : first + 32])
        self._sends(m, bank)
        self._receives(m, bank)
        return m

    def _sends(self, m: Module, bank: Any) -> None:
        """Words become flits, with the last word of each."""
        mesh, flit = self.mesh, FlitLayout(self.mesh)
        payload, size = mesh.payload_bits // 32, record_words(mesh)
        bits = destination_bits(mesh)
        m.submodules.to_send = queue = FlitFifo(flit.size, QUEUE)
        head = Signal(_TAG_AT + mesh.tag_bits, reset_less=True)
        words = [Signal(32, name=f"word_{k}", reset_less=True) for k in range(payload - 1)]
        part = bank.send.address[: (size - 1).bit_length()]
        whole = Signal()
        m.d.comb += [
            whole.eq(bank.send.enable & (part == payload)), bank.send.ready.eq(1),
            queue.put.eq(whole & queue.ready), bank.status.refused.set.eq(whole & ~queue.ready),
            # The order of FlitLayout; nobody but nodes sends to the host.
            queue.i.eq(Cat(*words, bank.send.data, head[_TAG_AT:], Const(0, 1), head[:bits])),
            self.send.payload.eq(queue.o), self.send.valid.eq(queue.valid),
            queue.take.eq(queue.valid & self.send.ready),
        ]
        with m.If(bank.send.enable):
            for k, held in enumerate((head, *words)):
                with m.If(part == k):
                    m.d.sync += held.eq(bank.send.data)
        self._level(m, bank.status.room, queue.take, queue.put, QUEUE)

    def _receives(self, m: Module, bank: Any) -> None:
        """Flits are words until the last of each is read."""
        mesh = self.mesh
        payload, size = mesh.payload_bits // 32, record_words(mesh)
        m.submodules.received = queue = FlitFifo(BodyLayout(mesh).size, QUEUE)
        body: Any = BodyLayout(mesh)(queue.o)
        part = bank.receive.address[: (size - 1).bit_length()]
        word = Signal(32)
        m.d.comb += [
            queue.i.eq(Value.cast(self.receive.payload)), queue.put.eq(self.receive.valid & queue.ready),
            bank.status.overflow.set.eq(self.receive.valid & ~queue.ready), bank.receive.ready.eq(1),
            queue.take.eq(bank.receive.enable & queue.valid & (part == payload)),
        ]
        with m.Switch(part):
            with m.Case(0):
                m.d.comb += word.eq(Cat(Const(0, _TAG_AT), body.tag, Const(0, 15 - mesh.tag_bits), Const(1, 1)))
            for k in range(payload):
                with m.Case(k + 1):
                    m.d.comb += word.eq(body.payload.word_select(k, 32))
        with m.If(bank.receive.enable):
            m.d.sync += bank.receive.data.eq(Mux(queue.valid, word, 0))
        self._level(m, bank.status.waiting, queue.put, queue.take, 0)

    def _level(self, m: Module, level: Value, more: Value, less: Value, start: int) -> None:
        """A number of flits, in a register."""
        count = Signal(range(QUEUE + 1), init=start)
        m.d.sync += count.eq(count + more - less)
        m.d.comb += level.eq(count)


class TiledChip(wiring.Component):
    """The mesh of tiles and one bus to every register and memory of every tile; flits of the host come the same way.

    Parameters
    ----------
    parts
        What the chip is made of.
    outside
        As at :class:`mho.hw.tile.rtl.tile.TileMesh`.

    Members
    -------
    bus : In(RegisterBus(address_width(parts.mesh)))
        Everything, see :mod:`mho.hw.chip.map`.
    irq : Out(1)
        Interrupt.
    power_off : Out(parts.mesh.nodes)
        For a power switch of each tile, see :class:`mho.hw.tile.rtl.tile.TileMesh`.
    programming_enable : In(1)
        Of all cores, see :class:`mho.hw.kinds.tnsa.core.TnsaCore`; only if they program their cells.
    macro_0, macro_1, .. : Out(MacroPins)
        The macros, row by row; only if they are outside.
    """

    verilog_name = "chip"
    bus: Any
    irq: Any

    def __init__(self, parts: ChipParts, *, outside: bool = False) -> None:
        self.parts, self.outside = parts, outside
        mesh = parts.mesh
        macros = {f"macro_{node}": wiring.Out(parts.core.pins) for node in range(mesh.nodes)} if outside else {}
        enable = {"programming_enable": ENABLE} if parts.core.programs else {}
        self._own = macros | enable | {"power_off": wiring.Out(mesh.nodes)}
        super().__init__({"bus": wiring.In(RegisterBus(address_width(mesh))), "irq": wiring.Out(1), **self._own})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        parts, mesh = self.parts, self.parts.mesh
        split: Any = BusSplit(address_width(mesh), (
            Region("tiles", 0, host_address_bits(mesh)), Region("chip", chip_base(mesh), PAGE_BITS),
        ))
        tiles: Any = TileMesh(parts.tiles, mesh, parts.core, outside=self.outside)
        port: Any = FlitPort(mesh, parts.page)
        m.submodules.split, m.submodules.port, m.submodules.tiles = split, port, tiles
        if may_be_late(platform):
            reset_late(m, "rst_late", ResetSignal(), port, tiles)
        connect(m, flipped(self.bus), split.bus)
        connect(m, split.tiles, tiles.host_bus)
        connect(m, split.chip, port.bus)
        connect(m, port.send, tiles.host_send)
        connect(m, tiles.host_receive, port.receive)
        m.d.comb += [port.lost.eq(tiles.host_lost), port.core_irq.eq(tiles.irq), port.tile_irq.eq(tiles.tile_irq),
                     port.any_tile_irq.eq(tiles.any_tile_irq), self.irq.eq(port.irq)]
        join(m, wiring.Signature(self._own), tiles, flipped(self))
        return m


_BRIDGES = {"wishbone": WishboneBridge, "axil": AxiLiteBridge}
"""Buses that may wrap a core or a chip: the bridge from its members beside ``bus``."""

WRAPS = {"none": "", "wishbone": "_wb", "axil": "_axil", "uart": "_uart"}
"""What wraps a core or a chip, and how the name of its top ends."""

BAUDS = (1_000_000, 115_200, 9_600)
"""Rates of a serial line: the first one that the clock has within a percent."""


def _bridge(wrap: str, width: int, line: UartConfig | None) -> Any:
    """From the bus, or serial line, of a top to its registers."""
    if wrap != "uart":
        return _BRIDGES[wrap](width)
    assert line is not None
    return UartBridge(LinkConfig(address_width=width), line)


def serial_line(chip: Description) -> UartConfig:
    """The serial line of a top behind one: 8 data bits, no parity, 1 stop bit, at one of :data:`BAUDS`.

    Raises InputError if the clock is too slow.
    """
    hz = round(1e6 * chip.clock.f_clk_MHz)
    for baud in BAUDS:
        if hz >= 8 * baud and abs((line := UartConfig(clock_hz=hz, baud=baud)).error) < 0.01:
            return line
    raise InputError(f"{chip.name}: clock.f_clk_MHz must be at least {8e-6 * BAUDS[-1]:g} behind a serial line, not "
                     f"{chip.clock.f_clk_MHz:g}")


class BusTop(wiring.Component):
    """One core and its macro behind a bus.

    Parameters
    ----------
    blocks
        What the core is generated from.
    wrap, line
        ``wishbone``, ``axil``, or ``uart``, whose line this is.

    Members
    -------
    wb : Out(Wishbone), s_axil : Out(AxiLite), or rx, tx : In(1), Out(1)
        The bus, or the host link (docs/design/link.md).
    irq : Out(1)
        Interrupt, as long as what raised it lasts.
    <what the core has beside its vector port>
        As it is, such as ``programming_enable``.
    """

    irq: Signal

    def __init__(self, blocks: CoreBlocks, *, wrap: str, line: UartConfig | None = None) -> None:
        self.blocks, self.wrap, self.line = blocks, wrap, line
        self._bridge = _bridge(wrap, blocks.registers.address_width, line)
        self._bus = _beside_bus(self._bridge)
        self._core: Any = blocks.core()
        self._own = {
            name: member for name, member in self._core.signature.members.items() if name not in self._core.port.members
        }
        super().__init__({**self._bus, "irq": wiring.Out(1), **self._own})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules[self.wrap] = bridge = self._bridge
        host: Any = self.blocks.host()
        core = self._core
        m.submodules.host, m.submodules.core = host, core
        join(m, wiring.Signature(self._bus), bridge, flipped(self))
        connect(m, bridge=bridge.bus, host=host.bus)
        join(m, core.port, core, host)
        m.d.comb += self.irq.eq(host.irq)
        join(m, wiring.Signature(self._own), core, flipped(self))
        return m


class ChipTop(wiring.Component):
    """A chip of tiles behind a bus.

    Parameters
    ----------
    parts
        What the chip is made of.
    wrap, line
        As at :class:`BusTop`.
    outside
        As at :class:`mho.hw.tile.rtl.tile.TileMesh`.

    Members
    -------
    wb : Out(Wishbone), s_axil : Out(AxiLite), or rx, tx : In(1), Out(1)
        As at :class:`BusTop`.
    <what a chip has beside its bus>
        As it is, see :class:`mho.hw.chip.tops.TiledChip`.
    """

    def __init__(
        self, parts: ChipParts, *, wrap: str, outside: bool = False, line: UartConfig | None = None
    ) -> None:
        self.parts, self.wrap, self.outside, self.line = parts, wrap, outside, line
        self._bridge = _bridge(wrap, address_width(parts.mesh), line)
        self._chip: Any = TiledChip(parts, outside=outside)
        self._bus = _beside_bus(self._bridge)
        self._own = {name: member for name, member in self._chip.signature.members.items() if name != "bus"}
        super().__init__({**self._bus, **self._own})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules[self.wrap], m.submodules.chip = self._bridge, self._chip
        join(m, wiring.Signature(self._bus), self._bridge, flipped(self))
        connect(m, bridge=self._bridge.bus, chip=self._chip.bus)
        join(m, wiring.Signature(self._own), self._chip, flipped(self))
        return m


def _beside_bus(bridge: Any) -> dict[str, Any]:
    """Members of a bridge but the bus of registers."""
    return {name: member for name, member in bridge.signature.members.items() if name != "bus"}


def top_name(wrap: str, part: str = "core") -> str:
    """Name of the top module of a core or a chip, without the prefix.

    Raises InputError if there is no such wrap.
    """
    if wrap not in WRAPS:
        raise InputError(f"wrap must be one of {', '.join(WRAPS)}, not {wrap!r}")
    return f"{part}{WRAPS[wrap]}"


def configurations(chip: Description, part: str = "chip", wrap: str = "none") -> tuple[object, ...]:
    """What the blocks of a chip are configured by, or of its ``core`` alone; with them what a serial line is.

    Their modules are called by the names of the blocks alone.
    """
    tiles = chip.tiled and part != "core"
    by_part = ChipParts.from_chip(chip).configurations if tiles else core_blocks(chip).configurations
    return (*by_part, serial_line(chip)) if wrap == "uart" else by_part


def build_tile(chip: Description, number: int = 0) -> wiring.Component:
    """A tile of ``chip`` with its macro, by its ``number``, row by row.

    Raises InputError if the chip has one core, thus no tiles.
    """
    parts = ChipParts.from_chip(chip)
    return Tile(parts.tiles[number], parts.mesh, parts.core, outside=False)


def build_chip(chip: Description, wrap: str = "wishbone", *, outside: bool = False) -> wiring.Component:
    """All tiles of ``chip`` behind the bus ``wrap``; ``none``: the streams of :class:`mho.hw.noc.host_port.HostPort`.

    Raises InputError if there is no such wrap, or the chip has one core, thus no tiles.
    """
    top_name(wrap)
    parts = ChipParts.from_chip(chip)
    if wrap == "none":
        return TileMesh(parts.tiles, parts.mesh, parts.core, outside=outside)
    return ChipTop(parts, wrap=wrap, outside=outside, line=serial_line(chip) if wrap == "uart" else None)


def build_top(chip: Description, wrap: str = "wishbone") -> wiring.Component:
    """The top of ``chip`` behind the bus ``wrap``: ``none``, ``wishbone``, ``axil`` or ``uart``.

    Raises InputError if there is no such wrap, or the chip has more than one core.
    """
    top_name(wrap)
    if chip.cores != 1:
        raise InputError(
            f"{chip.name}: mesh must have 1 column and 1 row for a core, not {chip.mesh.columns} x {chip.mesh.rows}"
        )
    blocks = core_blocks(chip)
    if wrap == "none":
        return blocks.core()
    return BusTop(blocks, wrap=wrap, line=serial_line(chip) if wrap == "uart" else None)
