"""The whole mesh: nodes, joined to their neighbours, and the host at the corner."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.host_port import host_ports, join_host
from mho.hw.noc.node import Node
from mho.hw.noc.ports import join_neighbours
from mho.hw.noc.router.route import PlaceLayout


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

    Parameters
    ----------
    cfg
        The mesh, with tags of 2 to 4 bits.

    Raises
    ------
    InputError
        If the tags are wider.

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
