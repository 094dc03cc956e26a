"""The whole mesh: routers, reduction, network interfaces, and the host's port."""

from typing import Any, cast

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.noc.channel import Channel
from hw.noc.config import HOST_POSITION, MeshConfig
from hw.noc.flit import BodyLayout, FlitLayout
from hw.noc.host_port import HostPort
from hw.noc.interface.interface import NetworkInterface
from hw.noc.reduction.inputs import OperandLayout
from hw.noc.reduction.network import ReductionNetwork
from hw.noc.router.network import Network
from hw.shared import Shared

__all__ = ["Mesh"]


class Mesh(wiring.Component):
    """A mesh with the ports of its nodes and of the host.

    Routers, reduction routers and network interfaces are one module each in Verilog, however many there are.

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
    tx_0 .. : In(stream of TxLayout(cfg))
        Blocks that the nodes send, row by row.
    rx_0 .. : Out(Arrival(cfg))
        What they receive; always taken.
    release_0 .. : In(stream of slots)
        They have freed a block of a slot.
    operand_0 .. , result_0 .. : In(Channel(OperandLayout(cfg), contexts)), Out(Channel(OperandLayout(cfg), contexts))
        Operands of reductions, and sums at the roots; only if ``cfg.contexts``.
    host_i, host_o : In(stream of FlitLayout(cfg)), Out(stream of BodyLayout(cfg))
        Flits of the host.
    """

    host_i: stream.Interface
    host_o: stream.Interface

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        ports = NetworkInterface.members(cfg)
        members: dict[str, Any] = {
            "host_i": In(stream.Signature(FlitLayout(cfg))), "host_o": Out(stream.Signature(BodyLayout(cfg))),
        }
        for node in range(cfg.nodes):
            members |= {f"{name}_{node}": ports[name] for name in ("tx", "rx", "release")}
            if cfg.contexts:
                channel = Channel(OperandLayout(cfg), cfg.contexts)
                members |= {f"operand_{node}": In(channel), f"result_{node}": Out(channel)}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        m.submodules.network = network = Network(cfg)
        interfaces = [
            cast(Any, Shared(lambda: NetworkInterface(cfg), NetworkInterface.members(cfg), "interface"))
            for _ in range(cfg.nodes)
        ]
        for node, interface in enumerate(interfaces):
            x, y = cfg.position(node)
            m.submodules[f"interface_{x}_{y}"] = interface
            m.d.comb += interface.lost[0].eq(network.unroutable[node])
            for name in ("tx", "rx", "release"):
                connect(m, outside=flipped(getattr(self, f"{name}_{node}")), interface=getattr(interface, name))
            inject, eject = getattr(network, f"inject_{node}"), getattr(network, f"eject_{node}")
            if (x, y) == HOST_POSITION:
                self._join_host(m, interface, inject, eject)
                continue
            connect(m, interface=interface.inject, router=inject)
            connect(m, interface=interface.eject, router=eject)
        if cfg.contexts:
            self._join_reduction(m, interfaces)
        return m

    def _join_host(self, m: Module, interface: Any, inject: Any, eject: Any) -> None:
        m.submodules.host_port = host = HostPort(self.cfg)
        connect(m, interface=interface.inject, host=host.node_i)
        connect(m, host=host.node_o, interface=interface.eject)
        connect(m, host=host.router_o, router=inject)
        connect(m, router=eject, host=host.router_i)
        connect(m, outside=flipped(self.host_i), host=host.host_i)
        connect(m, outside=flipped(self.host_o), host=host.host_o)
        m.d.comb += interface.lost[1].eq(host.lost)

    def _join_reduction(self, m: Module, interfaces: list[Any]) -> None:
        m.submodules.reduction_network = reduction = ReductionNetwork(self.cfg)
        for node, interface in enumerate(interfaces):
            m.d.comb += getattr(reduction, f"setup_{node}").eq(interface.setup)
            for name in ("operand", "result"):
                inside, outside = (getattr(part, f"{name}_{node}") for part in (reduction, self))
                connect(m, outside=flipped(outside), inside=inside)
