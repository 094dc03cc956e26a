"""Reduction routers joined to a mesh, without nodes."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Channel, join_neighbours
from mho.hw.noc.reduction.router import OperandLayout, ReductionRouter, SetupLayout

__all__ = ["ReductionNetwork"]


class ReductionNetwork(wiring.Component):
    """A mesh of reduction routers, all of one module.

    A sum is at the root's result port ``R`` cycles after the last of its operands is offered at a node's operand port,
    R routers on the way counted, without other traffic.

    Parameters
    ----------
    cfg
        The mesh, ``contexts`` being 1 at least.

    Members
    -------
    setup_0 .. : In(SetupLayout(cfg))
        Write entries of the routers, row by row.
    operand_0 .. : In(Channel(OperandLayout(cfg), cfg.contexts))
        From the nodes.
    result_0 .. : Out(Channel(OperandLayout(cfg), cfg.contexts))
        To the nodes that are roots.
    """

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        channel = Channel(OperandLayout(cfg), cfg.contexts)
        members: dict[str, Any] = {}
        for node in range(cfg.nodes):
            members |= {f"operand_{node}": In(channel), f"result_{node}": Out(channel)}
            members[f"setup_{node}"] = In(SetupLayout(cfg))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        routers = {}
        for node in range(cfg.nodes):
            x, y = cfg.position(node)
            router: Any = ReductionRouter(cfg)
            m.submodules[f"reduction_{x}_{y}"] = routers[x, y] = router
            m.d.comb += router.setup.eq(getattr(self, f"setup_{node}"))
            connect(m, outside=flipped(getattr(self, f"operand_{node}")), router=router.local_i)
            connect(m, outside=flipped(getattr(self, f"result_{node}")), router=router.local_o)
        join_neighbours(m, routers)
        return m
