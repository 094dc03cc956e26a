"""Nodes that take nothing while they have an answer to send: what they do not do, and why not."""

from typing import Any

from amaranth.hdl import Module, Signal

from tests.proofs.harness import State, assume
from tests.proofs.router.mesh import TAIL_BIT, StuckClaims

__all__ = ["CoupledClaims"]

_ASKS = 0
"""Bit of the tag that says that a flit asks for an answer."""


class CoupledClaims(StuckClaims):
    """The claim that a mesh never stands still, of nodes each of which owes an answer to whatever asks for one.

    It takes what arrives even then (``coupled`` is false), or not before its answer is in the router. Each flit is a
    packet.

    Parameters
    ----------
    dut
        The mesh.
    coupled
        Whether a node's ejection waits for its injection.
    """

    def __init__(self, dut: Any, *, coupled: bool) -> None:
        super().__init__(dut)
        self.coupled = coupled

    def specify(self, m: Module, state: State) -> None:
        super().specify(m, state)
        for node in range(self.dut.cfg.nodes):
            inject, eject = self.node(node)
            owes = Signal(name=f"owes_{node}")
            assume(m, ~inject.valid | inject.payload.tag[TAIL_BIT])
            with m.If(inject.valid & inject.ready):
                m.d.sync += owes.eq(0)
            with m.If(owes):
                assume(m, inject.valid & ~inject.payload.tag[_ASKS])
            with m.If(eject.valid & eject.ready & eject.payload.tag[_ASKS]):
                m.d.sync += owes.eq(1)
            if self.coupled:
                m.d.comb += eject.ready.eq(~owes)
