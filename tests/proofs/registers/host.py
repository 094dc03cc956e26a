"""Claims of the port of the host: it is a neighbour as routers expect one, takes what arrives, and forges nothing."""

from typing import Any

from amaranth.hdl import Module, Value

from mho.hw.noc.flit import Port
from mho.hw.noc.host_port import HostPort
from mho.hw.noc.interface.tables import register_tag
from tests.proofs.harness import Harness, State, claim, drive_freely, witness
from tests.proofs.router.routes import wanted_at, well_formed

__all__ = ["HostPortClaims"]


class HostPortClaims(Harness):
    """What is assumed of the host in the proofs of the mesh.

    Parameters
    ----------
    dut
        The port.
    """

    def __init__(self, dut: HostPort) -> None:
        super().__init__(dut)

    def specify(self, m: Module, state: State) -> None:
        port: Any = self.dut
        cfg = port.cfg
        for stream in (port.bus.request, port.burst.request, port.burst.data, port.send):
            drive_freely(m, stream.payload, stream.valid)
        drive_freely(m, port.bus.response.ready, port.burst.answer.ready, port.router_o.ready)
        drive_freely(m, port.router_i.payload, port.router_i.valid)
        claim(m, "what arrives is taken", port.router_i.ready.all())
        flit, sent = port.router_o.payload.flit, port.router_o
        is_request = flit.tag == register_tag(cfg)
        claim(m, "what waits is legal", ~state["full"] | well_formed(cfg, flit, Port.WEST) & ~flit.host)
        with m.If(sent.valid):
            claim(m, "the router has room", sent.ready)
            outputs = wanted_at(cfg, 0, 0, flit, Port.WEST)
            claim(m, "what it wants there goes with it", sent.payload.want == outputs)
            claim(m, "it wants something there", outputs.any())
        word = state.part("master").word
        with m.If(state["full"]):
            if cfg.masks:
                claim(m, "it wants something", flit.columns.any())
            ones = [Value.cast(flit)[-n:] for n in (cfg.columns,)] if cfg.masks else []
            for side in (*ones, flit.rows) if cfg.masks else ():
                claim(m, "a request goes to one node", ~is_request | ((side & (side - 1)) == 0))
        claim(m, "requests go before flits of the host", ~(word.valid & port.send.valid & port.send.ready))
        witness(m, "a request goes", sent.valid & is_request)
        witness(m, "a flit of the host goes to all nodes", sent.valid & ~is_request & sent.payload.want[0])
