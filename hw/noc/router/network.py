"""Routers joined to a mesh, without nodes."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from mho.hw.noc.config import HOST_POSITION, MeshConfig
from mho.hw.noc.flit import BodyLayout, Channel, ChannelLayout, FlitLayout, Port, join_neighbours
from mho.hw.noc.router.router import PlaceLayout, Router


class Network(wiring.Component):
    """A mesh of routers: all of one module, which learns its position from its port.

    Members
    -------
    inject_0 .. : In(Channel(FlitLayout(cfg)))
        From the nodes, row by row.
    eject_0 .. : Out(Channel(BodyLayout(cfg)))
        To the nodes.
    host_i, host_o : In(Channel(ChannelLayout(cfg, Port.WEST))), Out(Channel(ChannelLayout(cfg, Port.SOUTH)))
        From and to the host, at the corner.
    unroutable : Out(nodes)
        Strobes: a flit from a node without a destination other than the node was dropped.
    """

    host_i: Any
    host_o: Any
    unroutable: Any

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        members: dict[str, Any] = {
            "unroutable": Out(cfg.nodes), "host_i": In(Channel(ChannelLayout(cfg, Port.WEST))),
            "host_o": Out(Channel(ChannelLayout(cfg, Port.SOUTH))),
        }
        for node in range(cfg.nodes):
            members[f"inject_{node}"] = In(Channel(FlitLayout(cfg)))
            members[f"eject_{node}"] = Out(Channel(BodyLayout(cfg)))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        routers: dict[tuple[int, int], Any] = {}
        for node in range(cfg.nodes):
            x, y = cfg.position(node)
            router: Any = Router(cfg)
            routers[x, y] = router
            m.submodules[f"router_{x}_{y}"] = router
            m.d.comb += [
                *(router.place[name].eq(value) for name, value in PlaceLayout.pack(cfg, x, y).items()),
                self.unroutable[node].eq(router.unroutable),
            ]
            connect(m, outside=flipped(getattr(self, f"inject_{node}")), router=router.local_i)
            connect(m, outside=flipped(getattr(self, f"eject_{node}")), router=router.local_o)
        join_neighbours(m, routers)
        connect(m, outside=flipped(self.host_i), router=routers[HOST_POSITION].west_i)
        connect(m, outside=flipped(self.host_o), router=routers[HOST_POSITION].north_o)
        return m
