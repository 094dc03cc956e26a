"""A router that keeps an output for a packet until its tail has passed: what the mesh does not do, and why not."""

from typing import Any, cast
from unittest.mock import patch

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from mho.hw.noc.fifo import RoundRobin
from mho.hw.noc.flit import TURNS, Port
from mho.hw.noc.router.router import Router
from tests.proofs.router.mesh import TAIL_BIT

__all__ = ["WormholeRouter", "wormholes"]


class _Held(wiring.Component):
    """Stands for the arbiter of an output: once it has granted a flit that is no tail, only that input may have it."""

    request: Value
    grant: Value
    index: Value
    tail: Value

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__({"request": In(count), "grant": Out(count), "index": Out(range(count)), "tail": In(count)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fair = fair = RoundRobin(self.count)
        owner = Signal(self.count)
        m.d.comb += [
            fair.request.eq(Mux(owner.any(), self.request & owner, self.request)),
            self.grant.eq(fair.grant), self.index.eq(fair.index),
        ]
        with m.If(self.grant.any()):
            m.d.sync += owner.eq(Mux((self.grant & self.tail).any(), 0, self.grant))
        return m


class WormholeRouter(Router):
    """The router with packets: the tag's bit ``TAIL_BIT`` marks the last flit of one."""

    def _output(self, m: Module, leave: Port, units: Any) -> None:
        owners: list[_Held] = []

        def make(count: int) -> _Held:
            owners.append(_Held(count))
            return owners[-1]

        with patch("mho.hw.noc.router.router.RoundRobin", make):
            super()._output(m, leave, units)
        m.d.comb += owners[0].tail.eq(Cat(units[entry].head.tag[TAIL_BIT] for entry in TURNS[leave]))
        # With a lock, a request may have to wait although there is room.
        channel = getattr(self, f"{leave.name.lower()}_o")
        m.d.comb += channel.valid.eq(owners[0].grant.any())


def wormholes() -> Any:
    """Within this context, a mesh is made of routers with packets."""
    return cast(Any, patch("mho.hw.noc.router.network.Router", WormholeRouter))
