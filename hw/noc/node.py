"""A node of the mesh: router, reduction router, network interface and registers; and the whole mesh."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from mho.hw.host.bus import RegisterBus
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Channel, join_neighbours
from mho.hw.noc.host_port import host_ports, join_host
from mho.hw.noc.interface.interface import NetworkInterface
from mho.hw.noc.reduction.router import OperandLayout, ReductionRouter
from mho.hw.noc.registers.node import NodeRegisters
from mho.hw.noc.registers.packet import NODE_BITS
from mho.hw.noc.router.router import LoneRouter, PlaceLayout, Router

_INSIDE = ("place", "local_i", "local_o", "unroutable")
"""Ports of a router that lead to no neighbour and no host."""


def _router(cfg: MeshConfig) -> type[Router] | type[LoneRouter]:
    return LoneRouter if cfg.alone else Router


def _sides(cfg: MeshConfig) -> tuple[str, ...]:
    return tuple(name for name in _router(cfg).ports_for(cfg) if name not in _INSIDE)


class Node(wiring.Component):
    """All that a tile sees of the network, and all that a neighbour sees of the tile.

    Parameters
    ----------
    cfg
        The mesh; of one node ``west_i`` and ``north_o`` alone are there, for the host.

    Members
    -------
    place : In(PlaceLayout(cfg))
        Position in the mesh, constant.
    tx : In(stream of TxLayout(cfg))
        Blocks that the tile sends.
    rx : Out(Arrival(RxLayout(cfg)))
        What it receives: always taken.
    release : In(stream of slots)
        It has freed a block of a slot.
    operand, result : In(Channel(OperandLayout(cfg), contexts)), Out(Channel(OperandLayout(cfg), contexts))
        Operands of reductions, and sums at a root; only if ``cfg.contexts``.
    registers : Out(RegisterBus(NODE_BITS - 1))
        Accesses of the host to the tile.
    stopped, power_off : Out(1)
        Clock and power of the tile, see :class:`mho.hw.noc.registers.node.NodeRegisters`.
    north_i, north_o, east_i, .. west_o : Channel(ChannelLayout(cfg, port))
        The neighbours, as at :class:`mho.hw.noc.router.router.Router`.
    sum_north_i, sum_north_o, .. sum_west_o : Channel(OperandLayout(cfg), contexts)
        The same for sums; only if ``cfg.contexts``.
    """

    place: Any
    tx: stream.Interface
    rx: Any
    release: stream.Interface
    operand: Any
    result: Any
    registers: Any
    stopped: Any
    power_off: Any

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        super().__init__(self.ports_for(cfg))

    power = ("stopped", "power_off")
    """Ports that say whether the tile runs."""

    @staticmethod
    def tile(cfg: MeshConfig) -> dict[str, Any]:
        """Ports to the tile."""
        ports = NetworkInterface.ports_for(cfg)
        channel = Channel(OperandLayout(cfg), cfg.contexts)
        sums = {"operand": In(channel), "result": Out(channel)} if cfg.contexts else {}
        names = ("tx", "rx", "release")
        return {name: ports[name] for name in names} | sums | {"registers": Out(RegisterBus(NODE_BITS - 1))}

    @staticmethod
    def ports_for(cfg: MeshConfig) -> dict[str, Any]:
        """All ports."""
        router, sides = _router(cfg).ports_for(cfg), _sides(cfg)
        members = {"place": router["place"]} | Node.tile(cfg) | {side: router[side] for side in sides}
        members |= {name: Out(1) for name in Node.power}
        if cfg.contexts:
            reduction = ReductionRouter.ports_for(cfg)
            members |= {f"sum_{side}": reduction[side] for side in sides}
        return members

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        router: Any = _router(cfg)(cfg)
        m.submodules.router = router
        m.submodules.interface = interface = NetworkInterface(cfg)
        m.submodules.registers = registers = NodeRegisters(cfg)
        m.d.comb += [
            router.place.eq(self.place), interface.lost.eq(router.unroutable),
            registers.counters.eq(interface.counters), self.stopped.eq(registers.stopped),
            self.power_off.eq(registers.power_off),
        ]
        connect(m, interface.inject, router.local_i)
        connect(m, router.local_o, interface.eject)
        connect(m, interface.request, registers.request)
        connect(m, registers.answer, interface.answer)
        connect(m, registers.tables, interface.tables)
        connect(m, registers.tile, flipped(self.registers))
        for name in ("tx", "rx", "release"):
            connect(m, flipped(getattr(self, name)), getattr(interface, name))
        for side in _sides(cfg):
            connect(m, flipped(getattr(self, side)), getattr(router, side))
        if cfg.contexts:
            reduction: Any = ReductionRouter(cfg)
            m.submodules.reduction = reduction
            m.d.comb += reduction.setup.eq(registers.setup)
            connect(m, flipped(self.operand), reduction.local_i)
            connect(m, reduction.local_o, flipped(self.result))
            for side in _sides(cfg):
                connect(m, flipped(getattr(self, f"sum_{side}")), getattr(reduction, side))
        return m


def join_nodes(m: Module, mesh: Any, cfg: MeshConfig, nodes: Sequence[Any], name: str) -> None:
    """Put nodes, or tiles that hold them, into a mesh, row by row: to their places, their neighbours, the host.

    ``name`` is what each module is called, before its column and row.
    """
    at = {cfg.position(number): node for number, node in enumerate(nodes)}
    for (x, y), node in at.items():
        m.submodules[f"{name}_{x}_{y}"] = node
        # A constant at its pins: so all of a kind are one module.
        m.d.comb += [node.place[field].eq(value) for field, value in PlaceLayout.pack(cfg, x, y).items()]
    join_neighbours(m, at)
    if cfg.contexts:
        join_neighbours(m, at, "sum_")
    join_host(m, mesh, cfg, at)


class Mesh(wiring.Component):
    """A mesh with the ports of its tiles and of the host: nodes of one module, and wires.

    Members
    -------
    tx_0 .., rx_0 .., release_0 .., operand_0 .., result_0 .., registers_0 ..
        The ports of :class:`mho.hw.noc.node.Node` to each tile, row by row.
    power_off, stopped : Out(cfg.nodes)
        Power and clock of what is at each node.
    host_bus, host_burst, host_send, host_receive, host_lost
        The ports of :class:`mho.hw.noc.host_port.HostPort` to the host.
    """

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        members = host_ports(cfg)
        for node in range(cfg.nodes):
            members |= {f"{name}_{node}": member for name, member in Node.tile(cfg).items()}
        super().__init__(members | {name: Out(cfg.nodes) for name in Node.power})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        nodes = [Node(cfg) for _ in range(cfg.nodes)]
        join_nodes(m, self, cfg, nodes, "node")
        for number, node in enumerate(nodes):
            for name in Node.tile(cfg):
                connect(m, flipped(getattr(self, f"{name}_{number}")), getattr(node, name))
            m.d.comb += [getattr(self, name)[number].eq(getattr(node, name)) for name in Node.power]
        return m
