"""A tile with its core and its node, and all tiles of a chip, joined to a mesh, with the host at the corner."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from mho.hw.block import clock_by, may_be_late, reset_late
from mho.hw.core.port import join
from mho.hw.host.bus import BusSplit, Region, connect_narrow
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.host_port import host_ports
from mho.hw.noc.node import Node, join_nodes
from mho.hw.ports import Component, In, Out
from mho.hw.tile.config import TileConfig
from mho.hw.tile.rtl.controller import TileController
from mho.hw.tile.rtl.host import ADDRESS_WIDTH, CORE_AT
from mho.macro_models.errors import InputError


class Tile(Component[TileConfig]):
    """A tile of a mesh.

    Parameters
    ----------
    cfg, mesh, core
        The tile, its mesh and its core in a tile, of one width of flits, number of contexts and number of lines.
    outside
        The macro is outside, as Amaranth's simulator needs it; false: its adapter is in the tile.

    Raises
    ------
    InputError
        If tile, mesh and core differ in these.

    Members
    -------
    <place and the channels of the neighbours of :class:`mho.hw.noc.node.Node`>
        The mesh.
    """

    verilog_name = "core_tile"

    place: Any
    macro: Any = Out(lambda self: self.core.pins, when=lambda self: self.outside)
    """The macro; only if it is outside."""
    programming_enable = In(1, when=lambda self: self.core.programs, init=1)
    """Enables programming; only if the core programs its cells."""
    irq = Out(1)
    tile_irq = Out(1)
    """Interrupts of the core, and of the tile."""
    power_off = Out(1)
    """For a power switch of all but the node, see :class:`mho.hw.noc.registers.node.NodeRegisters`."""

    def __init__(self, cfg: TileConfig, mesh: MeshConfig, core: CoreBlocks, *, outside: bool = True) -> None:
        for name, own_size, around in (
            ("payload_bits", cfg.payload_bits, mesh.payload_bits), ("contexts", cfg.contexts, mesh.contexts),
            ("lines", cfg.lines, core.cfg.lines), ("ranged", cfg.ranged, core.cfg.ranged),
        ):
            if own_size != around:
                raise InputError(f"{name} of a tile must be {around}, as around it, not {own_size}")
        self.mesh, self.core, self.outside = mesh, core, outside
        own_members = (*Node.tile(mesh), *Node.power)
        self._around = {name: member for name, member in Node.ports_for(mesh).items() if name not in own_members}
        super().__init__(cfg, self._around)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.tile = tile = TileController(self.cfg)
        m.submodules.node = node = Node(self.mesh)
        core: Any = self.core.digital() if self.outside else self.core.core()
        m.submodules.core = core
        join(m, wiring.Signature(self._around), node, flipped(self))
        if self.outside:
            connect(m, core.macro, flipped(self.macro))
        split, access = self._registers(m, tile, node, core)
        self._products(m, tile, access, core)
        runs = Signal(name="tile_runs")
        # Where the host has stopped the tile, only the node has a clock: it still forwards flits and takes accesses.
        m.d.comb += [runs.eq(~node.stopped), self.power_off.eq(node.power_off)]
        clock_by(runs, tile, core, split, access)
        if may_be_late(platform):  # It comes from far, and goes far.
            reset_late(m, "rst_late", ResetSignal(), tile, node, core, split, access)
        if self.core.programs:
            m.d.comb += core.programming_enable.eq(self.programming_enable)
        m.d.comb += [
            tile.refused.eq(core.status.error),
            tile.i.valid.eq(node.rx.valid), tile.i.payload.payload.eq(node.rx.payload.payload),
            tile.i.payload.slot.eq(node.rx.payload.slot), node.release.valid.eq(tile.acknowledge.valid),
            node.release.payload.eq(tile.acknowledge.payload), tile.acknowledge.ready.eq(node.release.ready),
        ]
        self._send(m, tile, node)
        if self.mesh.contexts:
            self._sums(m, tile, node)
        return m

    def _registers(self, m: Module, tile: TileController, node: Any, core: Any) -> tuple[Any, Any]:
        """The host to the tile and to the registers of its core; what is between them."""
        tile_region = Region("tile", 0, CORE_AT.bit_length() - 1)
        split: Any = BusSplit(ADDRESS_WIDTH, (tile_region, Region("core", CORE_AT, self.core.registers.address_width)))
        access: Any = self.core.access()
        m.submodules.split, m.submodules.core_access = split, access
        connect(m, node.registers, split.bus)
        connect(m, split.core, access.bus)
        connect_narrow(m, split.tile, tile.bus)
        m.d.comb += access.reset.eq(tile.reset)
        # They have a long way behind them.
        m.d.sync += [self.irq.eq(access.irq), self.tile_irq.eq(tile.irq)]
        join(m, access.port, core, access, but=("mask",))
        self._masks(m, tile.mask, access.mask, core.mask)
        return split, access

    def _products(self, m: Module, tile: TileController, access: Any, core: Any) -> None:
        """The program to the core, or to what gives the host and it their turns."""
        port = core
        # A core that the host may use too: its program has it while a program runs.
        if "op" in access.port.members:
            port = access.program
            m.d.comb += access.idle.eq(~tile.running & ~tile.busy.any())
        for source, sink in ((tile.op, port.op), (tile.codes, port.i), (port.o, tile.drain)):
            connect(m, source, sink)
        if self.core.cfg.ranged:
            m.d.comb += port.words.eq(tile.words)

    def _masks(self, m: Module, program: Any, host: Any, core: Any) -> None:
        """Masks from the host and from the program, which goes first; what is offered stays."""
        stays, stays_program, program_turn = (
            Signal(name=name) for name in ("mask_stays", "mask_held", "mask_of_program"))
        m.d.comb += [
            program_turn.eq(Mux(stays, stays_program, program.valid)),
            core.valid.eq(Mux(program_turn, program.valid, host.valid)),
            core.p.addr.eq(Mux(program_turn, program.p.addr, host.p.addr)),
            core.p.data.eq(Mux(program_turn, program.p.data, host.p.data)),
            program.ready.eq(program_turn & core.ready), host.ready.eq(~program_turn & core.ready),
        ]
        # Whoever offers a mask keeps its turn until that is taken: a stream must not change what it offers.
        m.d.sync += [stays.eq(core.valid & ~core.ready), stays_program.eq(program_turn)]

    def _send(self, m: Module, tile: TileController, node: Any) -> None:
        """Flits of blocks, and operands where the context has room."""
        flit, operand = tile.o.p, tile.o.p.operand
        m.d.comb += [
            node.tx.valid.eq(tile.o.valid & ~operand), node.tx.payload.payload.eq(flit.payload),
            node.tx.payload.flow.eq(flit.flow), node.tx.payload.last.eq(flit.last),
            tile.o.ready.eq(Mux(operand, 1, node.tx.ready)),
        ]
        # An operand waits in the node, not in a flow: without room there the flit stays here.
        if self.mesh.contexts:
            room = node.operand.ready.bit_select(flit.flow[: max(1, (self.mesh.contexts - 1).bit_length())], 1)
            m.d.comb += [
                node.operand.payload.payload.eq(flit.payload), node.operand.payload.context.eq(flit.flow),
                node.operand.valid.eq(tile.o.valid & operand & room),
                tile.o.ready.eq(Mux(operand, room, node.tx.ready)),
            ]

    def _sums(self, m: Module, tile: TileController, node: Any) -> None:
        """A sum at a time, of the context that is wanted: no other is held up."""
        flit = Signal(self.cfg.payload_bits, reset_less=True)
        full = Signal()
        with m.If(tile.reset):
            m.d.sync += full.eq(0)
        with m.Elif(node.result.valid):
            m.d.sync += [flit.eq(node.result.payload.payload), full.eq(1)]
        with m.Elif(tile.result.ready):
            m.d.sync += full.eq(0)
        # One sum at a time is held here: a second one would stop other contexts in the node.
        wants = tile.summing & ~full
        m.d.comb += [
            tile.result.payload.eq(flit), tile.result.valid.eq(full),
            node.result.ready.eq(Mux(wants, 1 << tile.sum_context, 0)),
        ]


class TileMesh(Component):
    """All tiles of a chip: a module for each kind, and wires.

    Parameters
    ----------
    tiles
        Each of them, row by row.
    mesh, core
        As at :class:`mho.hw.tile.rtl.tile.Tile`.
    outside
        The macros are outside; false: each tile has its own.

    Members
    -------
    host_bus, host_burst, host_send, host_receive, host_lost
        The host, as at :class:`mho.hw.noc.host_port.HostPort`.
    macro_0, macro_1, .. : Out(core.pins)
        The macros, row by row; only if they are outside.
    programming_enable : In(1)
        Of all cores; only if they program their cells.
    irq, any_tile_irq : Out(1)
        Interrupt of a core, and of a tile.
    tile_irq : Out(mesh.nodes)
        Those of the tiles, row by row.
    power_off : Out(mesh.nodes)
        For a power switch of each tile, row by row.

    All of these come a cycle later for each step of the tile from the host's corner. Without an asynchronous reset, so
    does the reset to the tiles: it must last for two cycles, and two more for each column and row.
    """

    programming_enable = In(1, when=lambda self: self.core.programs, init=1)
    irq = Out(1)
    any_tile_irq = Out(1)
    tile_irq = Out(lambda self: self.mesh.nodes)
    power_off = Out(lambda self: self.mesh.nodes)

    def __init__(
        self, tiles: Sequence[TileConfig], mesh: MeshConfig, core: CoreBlocks, *, outside: bool = True
    ) -> None:
        self.tiles, self.mesh, self.core, self.outside = tuple(tiles), mesh, core, outside
        macros = {f"macro_{node}": wiring.Out(core.pins) for node in range(mesh.nodes)} if outside else {}
        super().__init__(members=host_ports(mesh) | macros)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        mesh = self.mesh
        tiles = [Tile(cfg, mesh, self.core, outside=self.outside) for cfg in self.tiles]
        join_nodes(m, self, mesh, tiles, "tile")
        for number, tile in enumerate(tiles):
            if self.outside:
                connect(m, tile.macro, flipped(getattr(self, f"macro_{number}")))
            if self.core.programs:
                m.d.comb += tile.programming_enable.eq(self.programming_enable)
        m.d.comb += [
            self.irq.eq(self._any(m, tiles, "irq")), self.any_tile_irq.eq(self._any(m, tiles, "tile_irq")),
            self.tile_irq.eq(self._each(m, tiles, "tile_irq")), self.power_off.eq(self._each(m, tiles, "power_off")),
        ]
        if may_be_late(platform):
            # As fast as flits, which are never before it: a wire to all tiles would cross the whole chip in a cycle.
            resets: dict[tuple[int, int], Any] = {(0, 0): ResetSignal()}
            for number, tile in enumerate(tiles[1:], 1):
                x, y = mesh.position(number)
                resets[x, y] = reset_late(m, f"rst_{x}_{y}", resets[_nearer(x, y)], tile)
        return m

    def _any(self, m: Module, tiles: Sequence[Any], name: str) -> Value:
        """Whether a tile raises an interrupt: ORed with those behind it at each step to the host's corner."""
        raised = {self.mesh.position(number): getattr(tile, name) for number, tile in enumerate(tiles)}
        for x, y in reversed(list(raised)[1:]):
            late = Signal(name=f"any_{name}_{x}_{y}", reset_less=True)
            m.d.sync += late.eq(raised[x, y])
            raised[_nearer(x, y)] |= late
        return raised[0, 0]

    def _each(self, m: Module, tiles: Sequence[Any], name: str) -> Value:
        """A bit of each tile, with a flip-flop at each step to the host's corner."""
        states: list[Value] = []
        for number, tile in enumerate(tiles):
            x, y = self.mesh.position(number)
            way = Signal(x + y, name=f"{name}_from_{x}_{y}", reset_less=True)
            m.d.sync += way.eq(Cat(getattr(tile, name), way))
            states.append(Cat(getattr(tile, name), way)[-1])
        return Cat(states)


def _nearer(x: int, y: int) -> tuple[int, int]:
    """The place behind the next step to the host's corner."""
    return (x, y - 1) if y else (x - 1, y)
