"""Claims of the round robin."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal

from mho.hw.noc.fifo import RoundRobin
from tests.proofs.harness import Harness, State, assume, claim, constant, drive_freely, witness

__all__ = ["ArbiterClaims", "turn_holds"]


class ArbiterClaims(Harness):
    """One grant at most, to a request, and no request waits for more than one grant of each other one."""

    def __init__(self, dut: RoundRobin) -> None:
        super().__init__(dut)

    def specify(self, m: Module, state: State) -> None:
        arbiter: RoundRobin = self.dut
        count, request, grant = arbiter.count, arbiter.request, arbiter.grant
        drive_freely(m, request)
        claim(m, "one grant at most", (grant & (grant - 1)) == 0)
        claim(m, "what is granted was requested", (grant & ~request) == 0)
        claim(m, "of requests one is granted", request.any() == grant.any())
        with m.If(request.any()):
            claim(m, "the number is that of the grant", grant == (1 << arbiter.index)[:count])
        who = constant(m, range(count), "who")
        assume(m, who < count)
        waiting, granted = request.bit_select(who, 1), grant.bit_select(who, 1)
        waits = Signal(range(count + 1))
        with m.If(granted):
            m.d.sync += waits.eq(0)
        with m.Elif(waiting):
            m.d.sync += waits.eq(waits + 1)
        # A head that waits keeps its request; only the room, which all need, may be gone for a while.
        with m.If(waits != 0):
            assume(m, waiting | ~request.any())
        claim(m, "a request waits for each other one once at most", waits < count)
        witness(m, "it waits for all others", waits == count - 1)
        if count > 1:
            turn_holds(m, state["after"], who, waits)


def turn_holds(m: Module, after: Signal, who: Any, waits: Signal, name: str = "arbiter") -> None:
    """Claim that those that come before request ``who`` of a round robin can only become fewer.

    ``after`` is the arbiter's register, ``waits`` the number of grants to others since the request has been there.
    """
    count = len(after)
    who = Const(who, 3) if isinstance(who, int) else who
    below = Cat(who > k for k in range(count))
    ahead = Mux(after.bit_select(who, 1), after & below, after | below)
    number = Signal(range(count + 1), name=f"{name}_ahead")
    m.d.comb += number.eq(sum(ahead[k] for k in range(count)))
    claim(m, f"{name}: the turn is of those behind a place", ((after << 1)[:count] & ~after) == 0)
    claim(m, f"{name}: it has waited for those only that are now behind it", waits + number < count)
