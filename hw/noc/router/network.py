"""Routers joined to a mesh, without nodes."""

from typing import Any, cast

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.noc.channel import Channel
from hw.noc.config import MeshConfig
from hw.noc.flit import BodyLayout, FlitLayout
from hw.noc.ports import OPPOSITE, STEP
from hw.noc.router.route import PlaceLayout
from hw.noc.router.router import Router
from hw.shared import Shared

__all__ = ["Network"]


class Network(wiring.Component):
    """A mesh of routers: all of one module, which learns its position from its port.

    Parameters
    ----------
    cfg
        The mesh.

    Members
    -------
    inject_0 .. : In(Channel(FlitLayout(cfg)))
        From the nodes, row by row.
    eject_0 .. : Out(Channel(BodyLayout(cfg)))
        To the nodes.
    unroutable : Out(nodes)
        Strobes: a flit from a node without a destination other than the node was dropped.
    """

    unroutable: Any

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        members: dict[str, Any] = {"unroutable": Out(cfg.nodes)}
        for node in range(cfg.nodes):
            members[f"inject_{node}"] = In(Channel(FlitLayout(cfg), cfg.queues))
            members[f"eject_{node}"] = Out(Channel(BodyLayout(cfg), cfg.queues))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        routers = {}
        for node in range(cfg.nodes):
            x, y = cfg.position(node)
            routers[x, y] = router = cast(Any, Shared(lambda: Router(cfg), Router.members(cfg), "router"))
            m.submodules[f"router_{x}_{y}"] = router
            m.d.comb += [
                *(router.place[name].eq(value) for name, value in PlaceLayout.pack(cfg, x, y).items()),
                self.unroutable[node].eq(router.unroutable),
            ]
            connect(m, outside=flipped(getattr(self, f"inject_{node}")), router=router.local_i)
            connect(m, outside=flipped(getattr(self, f"eject_{node}")), router=router.local_o)
        for (x, y), router in routers.items():
            for port, (dx, dy) in STEP.items():
                # Channels at the edge stay idle: nothing wants to go there.
                if (x + dx, y + dy) in routers:
                    there = getattr(routers[x + dx, y + dy], f"{OPPOSITE[port].name.lower()}_i")
                    connect(m, here=getattr(router, f"{port.name.lower()}_o"), there=there)
        return m
