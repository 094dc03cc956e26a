"""States of the sequencer in which instructions ask for the ring of a stream, wait for its tokens and change them."""

from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal, Value

from mho.hw.tile.isa import Cause, Engine, Op
from mho.hw.tile.isa.rules import COUNT_RULES, SEND_RULES, Use
from mho.hw.tile.rtl.rings import WRONGS
from mho.hw.tile.rtl.sequencer.loops import field, fields_of
from mho.hw.tile.rtl.sequencer.stops import ProgramStop


class TokenStates:
    """Of SEND, the token instructions and CORE.

    Parameters
    ----------
    m, sequencer
        The :class:`mho.hw.tile.rtl.sequencer.sequencer.Sequencer`, whose ports these states drive.
    """

    def __init__(self, m: Module, sequencer: Any, stops: ProgramStop) -> None:
        self._m, self._sequencer, self._stops = m, sequencer, stops

    def check(self, word: Value) -> None:
        """Whether a SEND is legal with its stream."""
        m, sequencer, ask, stops = self._m, self._sequencer, self._sequencer.ask, self._stops
        ring = ask.ring
        use = Use(Op.SEND, fields_of(word, Op.SEND), sequencer.cfg, streams={"stream": ring})
        breaks = {rule.cause: rule.breaks(use) for rule in SEND_RULES}
        beyond = ring.wrong == WRONGS.index(Cause.ADDRESS)
        m.d.comb += ask.valid.eq(1)
        with m.If(ask.ready):
            m.next = "Issue"
            with m.If((ring.wrong != 0) & ~beyond):
                stops.stop(_cause(ring.wrong), ask.stream)
            with m.Elif(breaks[Cause.FIELD]):
                stops.stop(Cause.FIELD, ask.stream)
            with m.Elif(beyond):
                stops.stop(Cause.ADDRESS, ask.stream)
            with m.Elif(breaks[Cause.RING]):
                stops.stop(Cause.RING, ask.stream)

    def command(self, word: Value, dead: Value) -> None:
        """CORE, whose block is there: gives it to the load engine as pairs of words, and then back to its ring."""
        m, sequencer, ask, stops = self._m, self._sequencer, self._sequencer.ask, self._stops
        ring = ask.ring
        with m.State("Block"):
            m.d.comb += ask.valid.eq(1)
            m.d.sync += [sequencer.block_address.eq(ring.head), sequencer.block_size.eq(ring.block)]
            with m.If(ask.ready):
                m.next = "Issue"
                # Pairs of an address and a word, eight bytes each.
                with m.If(ring.block[:3].any()):
                    stops.stop(Cause.CORE, engine=Engine.LOAD)
            stops.obey(dead)
        # Its tokens are changed here, when the load engine has read the block: that has no port for it.
        with m.State("Given"):
            with m.If(sequencer.quiet):
                m.next = "Next"
                with m.If(field(word, Op.CORE, "free")):
                    self._to_change()
            stops.obey(dead)

    def wait(self, op: Value, left: Signal, dead: Value) -> None:
        """Waits for blocks or room, then gives back or shows them one by one.

        Whether it is legal is asked at once, what is there when the engines are idle: SEND may wait for ever.
        """
        m, sequencer, ask, stops = self._m, self._sequencer, self._sequencer.ask, self._stops
        ring = ask.ring
        answered = Signal()
        again = Signal()
        use = Use(Op.WAIT, {"n": left}, sequencer.cfg, streams={"stream": ring})
        breaks = {rule.cause: rule.breaks(use) for rule in COUNT_RULES}
        m.d.sync += [answered.eq(0), again.eq(0)]
        with m.State("Ask"):
            # Of something to be made: what fits; else what is there.
            makes = (op == Op.ROOM) | (op == Op.PUSH)
            fits = Signal()
            m.d.comb += [
                ask.valid.eq(~dead & (sequencer.idle | ~answered)), fits.eq(ring.there + left <= ring.blocks),
            ]
            m.d.comb += ask.again.eq(again)
            m.d.sync += [answered.eq(answered | ask.ready), again.eq(again | (ask.ready & sequencer.idle))]
            with m.If(ask.ready):
                with m.If(sequencer.idle & Mux(makes, fits, ring.there >= left)):
                    m.next = "Next"
                    with m.If((op == Op.FREE) | (op == Op.PUSH)):
                        self._to_change()
                    with m.If(op == Op.CORE):
                        m.next = "Block"
                with m.If(ring.wrong != 0):
                    stops.stop(_cause(ring.wrong), ask.stream)
                with m.Elif(breaks[Cause.RING]):
                    stops.stop(Cause.RING, ask.stream)
                with m.Elif(makes & breaks[Cause.OWNER]):
                    stops.stop(Cause.OWNER, ask.stream)
                # Masks must not change below a product that is still converted.
                with m.Elif((op == Op.CORE) & sequencer.undrained):
                    stops.stop(Cause.PRODUCT)
            stops.obey(dead)
        with m.State("Change"):
            m.d.comb += stops.changes.eq(1)
            with m.If(sequencer.change.ready):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 1):
                    m.d.comb += stops.changes.eq(0)
                    m.next = "Next"

    def _to_change(self) -> None:
        """To the state that changes a ring; what chooses among all who do takes the time of a cycle."""
        self._m.d.comb += self._stops.changes.eq(1)
        self._m.next = "Change"


def _cause(wrong: Value) -> Value:
    """The cause that is known by its place in ``WRONGS``."""
    return Array(WRONGS)[wrong]
