"""A router at any place of its mesh, among neighbours that keep to the protocol of channels."""

from typing import Any

from amaranth.hdl import Module, Value

from mho.hw.noc.flit import Port
from mho.hw.noc.router.router import PlaceLayout, Router
from tests.proofs.harness import Harness, State, assume, constant, drive_freely
from tests.proofs.queue import Queue, input_queue
from tests.proofs.router.routes import at_place, in_its_column, in_mesh, well_formed

__all__ = ["RouterHarness", "body"]


def body(channel: Any, port: Port) -> Any:
    """The flit on a channel."""
    return channel.payload if port is Port.LOCAL else channel.payload.flit


class RouterHarness(Harness):
    """A router among its neighbours. Its node may offer a flit that it has no room for."""

    def __init__(self, dut: Router) -> None:
        super().__init__(dut)

    def surround(self, m: Module) -> None:
        """Drive all inputs."""
        router: Any = self.dut
        place = constant(m, PlaceLayout(router.cfg), "any_place")
        assume(m, in_mesh(router.cfg, place))
        m.d.comb += Value.cast(router.place).eq(Value.cast(place))
        for port in Port:
            i = self.channel(port, "i")
            drive_freely(m, i.payload, i.valid, self.channel(port, "o").ready)
            with m.If(i.valid):
                assume(m, well_formed(router.cfg, body(i, port), port))
                assume(m, in_its_column(router.cfg, router.place, body(i, port), port))
                if port is not Port.LOCAL:
                    # Claimed of the neighbour in ChannelClaims.
                    assume(m, i.ready & i.payload.want.any())
                    assume(m, i.payload.want == at_place(router.cfg, router.place, body(i, port), port))

    def channel(self, port: Port, way: str) -> Any:
        """The channel at a port, ``way`` being i or o."""
        return getattr(self.dut, f"{port.name.lower()}_{way}")

    def queue(self, state: State, port: Port) -> Queue:
        """FIFO of an input."""
        return input_queue(state, f"{port.name.lower()}_input")
