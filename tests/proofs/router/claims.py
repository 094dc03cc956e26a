"""Claims of the outputs of a router: one grant, with room, to one that wants it, with what it wants next."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data

from mho.hw.noc.flit import OPPOSITE, STEP, TURNS, WANTS, ChannelLayout, Port
from tests.proofs.arbiter import turn_holds
from tests.proofs.harness import State, claim, witness
from tests.proofs.queue import fifo_holds, word_behind
from tests.proofs.router.routes import at_place, beyond, in_its_column, well_formed
from tests.proofs.router.surroundings import RouterHarness, body

__all__ = ["ChannelClaims", "GrantClaims", "WaitClaims"]


class ChannelClaims(RouterHarness):
    """What goes out has room where it goes, and the outputs that it wants there go with it; nothing leaves the mesh."""

    def specify(self, m: Module, state: State) -> None:
        self.surround(m)
        cfg = self.dut.cfg
        for port in Port:
            fifo, inner, _ = self.queue(state, port)
            count = fifo_holds(m, fifo, inner, port.name)
            for behind in range(cfg.depth):
                word = word_behind(m, fifo, inner, behind, f"{port.name}_{behind}")
                view: Any = data.View(ChannelLayout(cfg, port), word)
                with m.If(count > behind):
                    outputs = at_place(cfg, self.dut.place, view.flit, port)
                    claim(m, f"{port.name}: it holds what was wanted", view.want == outputs)
                    fits = well_formed(cfg, view.flit, port) & in_its_column(cfg, self.dut.place, view.flit, port)
                    claim(m, f"{port.name}: it holds flits to the mesh", fits)
        for port in Port:
            o: Any = self.channel(port, "o")
            flit = body(o, port)
            with m.If(o.valid):
                claim(m, f"{port.name}: the receiver has room", o.ready)
            if port is not Port.LOCAL:
                outputs = at_place(self.dut.cfg, self.dut.place, flit, OPPOSITE[port], STEP[port])
                with m.If(o.valid):
                    fits = well_formed(cfg, flit, OPPOSITE[port])
                    fits = fits & in_its_column(cfg, self.dut.place, flit, OPPOSITE[port])
                    claim(m, f"{port.name}: the flit goes to the mesh or to the host", fits)
                with m.If(o.valid & ~beyond(cfg, self.dut.place, flit)):
                    claim(m, f"{port.name}: what it wants there goes with it", o.payload.want == outputs)
                    claim(m, f"{port.name}: it wants something there", outputs.any())
            witness(m, f"{port.name}: something goes out", o.valid)


class GrantClaims(RouterHarness):
    """Each output serves one input at most, which wants it and has not been served by it."""

    def specify(self, m: Module, state: State) -> None:
        self.surround(m)
        for leave in Port:
            o = self.channel(leave, "o")
            arbiter = state.part(f"{leave.name.lower()}_arbiter")
            grant = arbiter.grant
            claim(m, f"{leave.name}: one grant at most", (grant & (grant - 1)) == 0)
            claim(m, f"{leave.name}: valid with a grant", o.valid == grant.any())
            witness(m, f"{leave.name}: all that may want it ask", arbiter.request.all())
            for k, entry in enumerate(TURNS[leave]):
                unit = state.part(f"{entry.name.lower()}_input")
                bit = WANTS[entry].index(leave)
                claim(m, f"{leave.name}: {entry.name} is told", unit.grant[bit] == grant[k])
                with m.If(grant[k]):
                    claim(m, f"{leave.name}: {entry.name} asked", unit.request[bit])
                    claim(m, f"{leave.name}: there is room", o.ready)
        for port in Port:
            fifo, inner, served = self.queue(state, port)
            fifo_holds(m, fifo, inner, port.name)
            want = fifo.o[-len(WANTS[port]) :]
            with m.If(fifo.valid):
                claim(m, f"{port.name}: only what is wanted is served", (served & ~want) == 0)
            with m.Else():
                claim(m, f"{port.name}: nothing is served of an empty queue", served == 0)


class WaitClaims(RouterHarness):
    """A head that waits for an output is passed by each other input once at most.

    And whenever there is room at that output, one of those that wait goes (:class:`GrantClaims`): so it waits for three
    others at most, whatever comes in.
    """

    def specify(self, m: Module, state: State) -> None:
        self.surround(m)
        for port in Port:
            fifo, inner, served = self.queue(state, port)
            fifo_holds(m, fifo, inner, port.name)
            claim(m, f"{port.name}: nothing is served of an empty queue", fifo.valid | (served == 0))
        for leave in Port:
            path = f"{leave.name.lower()}_arbiter"
            arbiter = state.part(path)
            for k, entry in enumerate(TURNS[leave]):
                fifo, _, served = self.queue(state, entry)
                name = f"{entry.name} to {leave.name}"
                self._wait(m, name, (entry, leave, k), fifo, served, arbiter, state[f"{path}.after"])

    def _wait(self, m: Module, name: str, turn: Any, fifo: Any, served: Any, arbiter: Any, after: Any) -> None:
        entry, leave, k = turn
        bit = WANTS[entry].index(leave)
        bound = arbiter.count - 1
        waiting = fifo.valid & fifo.o[-len(WANTS[entry]) :][bit] & ~served[bit]
        overtaken = (arbiter.grant & ~(1 << k)).any()
        waits = Signal(range(bound + 2), name=f"waits_{name}".replace(" ", "_"))
        m.d.sync += waits.eq(0)
        with m.If(waiting & ~arbiter.grant[k]):
            m.d.sync += waits.eq(Mux(waits > bound, waits, waits + overtaken))
        claim(m, f"{name}: passed by each other input once at most", waits <= bound)
        turn_holds(m, after, k, waits, name.replace(" ", "_"))
        witness(m, f"{name}: passed by all others", waits == bound)
