"""The top of a board with its pins."""

from typing import Any

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Elaboratable, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.io import Buffer, Direction

from mho.fpga.boards.board import Board
from mho.hw.board.tiles import TilesConfig
from mho.hw.board.top import LEDS, BoardTop
from mho.hw.ports import Component, Out
from mho.rtl_gen.verilog.netlist import emit


class VerilogTop(wiring.Component):
    """A :class:`BoardTop` with tiles, as an instance of its Verilog, in which what is alike is one module.

    Members
    -------
    rx, tx, leds
        As of :class:`mho.hw.board.top.BoardTop`.
    """

    FILE = "board.v"
    """The Verilog, among the files of the platform."""

    rx: Signal
    tx: Signal
    leds: Signal

    def __init__(self, cfg: TilesConfig) -> None:
        self.cfg, self.top = cfg, BoardTop(cfg)
        super().__init__(self.top.signature)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        own = (self.cfg, *self.cfg.parts.configurations)
        texts = emit(self.top, name="mho_board", prefix="mho_", reset_low=False, configs=own)
        platform.add_file(self.FILE, "\n".join(texts.values()))
        m.submodules.board = Instance(
            "mho_board", i_clk=ClockSignal(), i_rst=ResetSignal(), i_rx=self.rx, o_tx=self.tx, o_leds=self.leds,
        )
        return m


RESET_S = 15e-6
"""Block RAM of an iCE40 reads zeros for about 3 us after configuration; this is five times as long."""


class BoardClock(Component):
    """Drives the domain ``sync`` around it at the wanted frequency, in reset until the loop was locked for 15 us.

    Parameters
    ----------
    wanted_hz
        Frequency of the design.
    """

    locked = Out(1)
    """The loop is locked."""

    def __init__(self, board: Board, wanted_hz: int) -> None:
        self.loop = board.served.find_loop(board.clock_hz, wanted_hz)
        self.board, self.wanted_hz = board, wanted_hz
        super().__init__()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        clock = Signal(name="board_clock")
        raw_locked = Signal()
        port = platform.request(platform.default_clk, dir="-")
        m.submodules.loop = self.loop.instance(m, port, clock, raw_locked, pad=self.board.clock_at_loop)
        platform.add_clock_constraint(clock, self.wanted_hz)
        m.domains += ClockDomain("raw", reset_less=True, local=True)
        m.d.comb += [ClockSignal("raw").eq(clock), ClockSignal("sync").eq(clock)]
        settled = Signal(2)
        delay = int(RESET_S * self.wanted_hz)
        timer = Signal(range(delay + 1))
        reset = Signal(init=1)
        m.d.raw += [settled.eq(Cat(raw_locked, settled)), reset.eq(timer != delay)]
        with m.If(~settled[-1]):
            m.d.raw += timer.eq(0)
        with m.Elif(timer != delay):
            m.d.raw += timer.eq(timer + 1)
        m.d.comb += [ResetSignal("sync").eq(reset), self.locked.eq(settled[-1])]
        return m


class BoardDesign(Elaboratable):
    """A :class:`mho.hw.board.top.BoardTop` on a board: serial line, lights and clock, and nothing else of the board.

    Parameters
    ----------
    top
        What is put on it.

    Raises
    ------
    InputError
        If the frequency of ``top`` cannot be made on the board.
    """

    def __init__(self, board: Board, top: BoardTop | VerilogTop) -> None:
        self.board, self.top = board, top
        self.clock = BoardClock(board, top.cfg.clock_hz)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        top: Any = self.top
        m.domains += ClockDomain("sync")
        m.submodules.clock = self.clock
        m.submodules.top = top
        line = platform.request("uart", 0, dir={io.name: "-" for io in platform.lookup("uart", 0).ios})
        m.submodules.rx = rx = Buffer(Direction.Input, line.rx)
        m.submodules.tx = tx = Buffer(Direction.Output, line.tx)
        m.d.comb += [top.rx.eq(rx.i), tx.o.eq(top.tx)]
        lights: dict[tuple[str, int], Any] = {}
        for (resource, number, *part), name, light in zip(self.board.lights, LEDS, top.leds, strict=False):
            if (resource, number) not in lights:
                ios = platform.lookup(resource, number).ios
                way: Any = {io.name: "-" for io in ios} if part else "-"
                lights[resource, number] = platform.request(resource, number, dir=way)
            port = getattr(lights[resource, number], part[0]) if part else lights[resource, number]
            m.submodules[name] = buffer = Buffer(Direction.Output, port)
            m.d.comb += buffer.o.eq(light)
        for resource in self.board.high:
            m.submodules[resource] = buffer = Buffer(Direction.Output, platform.request(resource, 0, dir="-"))
            m.d.comb += buffer.o.eq(1)
        return m
