"""Clock and reset of a board: a phase-locked loop to the frequency of the design, and a reset until it is stable."""

from typing import Any

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from mho.fpga.boards.board import Board

__all__ = ["BoardClock"]

RESET_S = 15e-6
"""Block RAM of an iCE40 reads zeros for about 3 us after configuration; this is five times as long."""


class BoardClock(wiring.Component):
    """Drives the domain ``sync`` around it at the wanted frequency, in reset until the loop was locked for 15 us.

    Parameters
    ----------
    board
        The board.
    wanted_hz
        Frequency of the design.

    Members
    -------
    locked : Out(1)
        The loop is locked.
    """

    locked: Signal

    def __init__(self, board: Board, wanted_hz: int) -> None:
        self.loop = board.served.find_loop(board.clock_hz, wanted_hz)
        self.board, self.wanted_hz = board, wanted_hz
        super().__init__({"locked": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        clock, raw_locked = Signal(name="board_clock"), Signal()
        port = platform.request(platform.default_clk, dir="-")
        m.submodules.loop = self.loop.instance(m, port, clock, raw_locked, pad=self.board.clock_at_loop)
        platform.add_clock_constraint(clock, self.wanted_hz)
        m.domains += ClockDomain("raw", reset_less=True, local=True)
        m.d.comb += [ClockSignal("raw").eq(clock), ClockSignal("sync").eq(clock)]
        settled = Signal(2)
        delay = int(RESET_S * self.wanted_hz)
        timer, reset = Signal(range(delay + 1)), Signal(init=1)
        m.d.raw += [settled.eq(Cat(raw_locked, settled)), reset.eq(timer != delay)]
        with m.If(~settled[-1]):
            m.d.raw += timer.eq(0)
        with m.Elif(timer != delay):
            m.d.raw += timer.eq(timer + 1)
        m.d.comb += [ResetSignal("sync").eq(reset), self.locked.eq(settled[-1])]
        return m
