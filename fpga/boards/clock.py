"""Clock and reset of a board: a phase-locked loop to the frequency of the design, and a reset until it is stable."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.io import Buffer, Direction, SingleEndedPort
from amaranth.lib.wiring import Out

from fpga.boards.board import Board
from macro_models.errors import InputError

__all__ = ["BoardClock", "Ecp5Loop", "Ice40Loop"]

RESET_S = 15e-6
"""Block RAM of an iCE40 reads zeros for about 3 us after configuration; this is five times as long."""


@dataclass(frozen=True, kw_only=True)
class Ice40Loop:
    """Dividers of an ``SB_PLL40`` with simple feedback: ``f * (divf + 1) / 2**divq / (divr + 1)``.

    Ranges are those of Lattice FPGA-TN-02052.
    The oscillator runs at 533 to 1066 MHz, the phase detector at 10 to 133 MHz.
    """

    divr: int
    divf: int
    divq: int
    filter_range: int

    @classmethod
    def find(cls, given_hz: int, wanted_hz: int) -> "Ice40Loop":
        """Dividers for exactly ``wanted_hz``.

        Raises
        ------
        InputError
            If there are none.
        """
        for divr in range(16):
            for divq in range(1, 7):
                detector = given_hz / (divr + 1)
                oscillator = wanted_hz << divq
                if not (10e6 <= detector <= 133e6 and 533e6 <= oscillator <= 1066e6):
                    continue
                if oscillator * (divr + 1) % given_hz == 0 and oscillator * (divr + 1) // given_hz <= 128:
                    divf = oscillator * (divr + 1) // given_hz - 1
                    return cls(divr=divr, divf=divf, divq=divq, filter_range=_filter_range(detector))
        raise InputError(f"no phase-locked loop of an iCE40 makes {wanted_hz} Hz out of {given_hz} Hz")

    def instance(self, m: Module, port: SingleEndedPort, out: Signal, locked: Signal, *, pad: bool) -> Instance:
        """The loop, fed by the pin of ``port``; with ``pad`` that pin is the one that belongs to the loop."""
        if pad:
            given = {"io_PACKAGEPIN": port.io}
        else:
            m.submodules.buffer = buffer = Buffer(Direction.Input, port)
            given = {"i_REFERENCECLK": buffer.i}
        return Instance(
            "SB_PLL40_PAD" if pad else "SB_PLL40_CORE",
            p_FEEDBACK_PATH="SIMPLE", p_PLLOUT_SELECT="GENCLK",
            p_DIVR=Const(self.divr, 4), p_DIVF=Const(self.divf, 7), p_DIVQ=Const(self.divq, 3),
            p_FILTER_RANGE=Const(self.filter_range, 3),
            i_RESETB=Const(1), i_BYPASS=Const(0), o_PLLOUTGLOBAL=out, o_LOCK=locked, **given,
        )


def _filter_range(detector: float) -> int:
    """As icepll chooses it."""
    return next((k for k, limit in enumerate((17e6, 26e6, 44e6, 66e6, 101e6), 1) if detector < limit), 6)


@dataclass(frozen=True, kw_only=True)
class Ecp5Loop:
    """Dividers of an ``EHXPLLL`` with its first output as feedback: ``f * feedback / reference``.

    Ranges are those of Lattice FPGA-TN-02200.
    The oscillator, ``output`` times as fast as the output, runs at 400 to 800 MHz.
    """

    reference: int
    feedback: int
    output: int

    @classmethod
    def find(cls, given_hz: int, wanted_hz: int) -> "Ecp5Loop":
        """Dividers for exactly ``wanted_hz``.

        Raises
        ------
        InputError
            If there are none.
        """
        for reference in range(1, 9):
            feedback = wanted_hz * reference / given_hz
            output = round(600e6 / wanted_hz)
            if feedback.is_integer() and 1 <= feedback <= 80 and 1 <= output <= 128:
                if 400e6 <= wanted_hz * output <= 800e6:
                    return cls(reference=reference, feedback=int(feedback), output=output)
        raise InputError(f"no phase-locked loop of an ECP5 makes {wanted_hz} Hz out of {given_hz} Hz")

    def instance(self, m: Module, port: SingleEndedPort, out: Signal, locked: Signal, *, pad: bool) -> Instance:
        """The loop, fed by the pin of ``port``. Current and filter are those that ecppll writes for every loop."""
        m.submodules.buffer = buffer = Buffer(Direction.Input, port)
        return Instance(
            "EHXPLLL",
            p_CLKI_DIV=self.reference, p_CLKFB_DIV=self.feedback, p_CLKOP_DIV=self.output,
            p_CLKOP_ENABLE="ENABLED", p_CLKOP_CPHASE=self.output - 1, p_CLKOP_FPHASE=0,
            p_FEEDBK_PATH="CLKOP", p_OUTDIVIDER_MUXA="DIVA", p_STDBY_ENABLE="DISABLED", p_DPHASE_SOURCE="DISABLED",
            p_PLLRST_ENA="DISABLED", p_INTFB_WAKE="DISABLED",
            a_ICP_CURRENT="12", a_LPF_RESISTOR="8", a_MFG_ENABLE_FILTEROPAMP="1", a_MFG_GMCREF_SEL="2",
            i_RST=Const(0), i_STDBY=Const(0), i_PHASESEL0=Const(0), i_PHASESEL1=Const(0), i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1), i_PHASELOADREG=Const(1), i_PLLWAKESYNC=Const(0), i_ENCLKOP=Const(0),
            i_CLKI=buffer.i, i_CLKFB=out, o_CLKOP=out, o_LOCK=locked,
        )


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
        find = {"ice40": Ice40Loop.find, "ecp5": Ecp5Loop.find}[board.family]
        self.loop = find(board.clock_hz, wanted_hz)
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
