"""In place of a router where there is one node: wires between it and the host."""

from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from mho.hw.noc.channel import Channel
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import BodyLayout, FlitLayout, from_host, to_host
from mho.hw.noc.router.route import PlaceLayout

__all__ = ["LoneRouter"]


class LoneRouter(wiring.Component):
    """What the host sends is for the node, what the node sends is for the host; nothing is kept.

    The ports are those of :class:`mho.hw.noc.router.router.Router` at which node and host are. At both ends of the
    wires there are registers: the host's, and that of the network interface.

    Parameters
    ----------
    cfg
        The mesh, of one node.

    Members
    -------
    place : In(PlaceLayout(cfg))
        Of no width.
    west_i, north_o : In(from_host(cfg)), Out(to_host(cfg))
        The host.
    local_i : In(Channel(FlitLayout(cfg)))
        From the node.
    local_o : Out(Channel(BodyLayout(cfg)))
        To the node.
    unroutable : Out(1)
        Strobe: a flit from the node was dropped that is not for the host.
    """

    west_i: Any
    north_o: Any
    local_i: Any
    local_o: Any
    unroutable: Value

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        super().__init__(self.members(cfg))

    @staticmethod
    def members(cfg: MeshConfig) -> dict[str, Any]:
        """Ports of the only router."""
        return {
            "place": In(PlaceLayout(cfg)), "unroutable": Out(1), "west_i": In(from_host(cfg)),
            "north_o": Out(to_host(cfg)), "local_i": In(Channel(FlitLayout(cfg))),
            "local_o": Out(Channel(BodyLayout(cfg))),
        }

    def elaborate(self, platform: object) -> Module:
        m = Module()
        flit, leaves = self.local_i.payload, self.north_o
        m.d.comb += [
            self.local_o.payload.eq(self.west_i.payload), self.local_o.valid.eq(self.west_i.valid),
            self.west_i.ready.eq(self.local_o.ready),
            leaves.payload.payload.eq(flit.payload), leaves.payload.tag.eq(flit.tag),
            leaves.valid.eq(self.local_i.valid & flit.host), self.local_i.ready.eq(leaves.ready | ~flit.host),
            self.unroutable.eq(self.local_i.valid & ~flit.host),
        ]
        return m
