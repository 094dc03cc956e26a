"""The top of a board with its pins."""

from typing import Any

from amaranth.hdl import ClockDomain, Elaboratable, Module
from amaranth.lib.io import Buffer, Direction

from mho.fpga.boards.board import Board
from mho.fpga.boards.clock import BoardClock
from mho.fpga.top import VerilogTop
from mho.hw.board.top import LEDS, BoardTop

__all__ = ["BoardDesign"]


class BoardDesign(Elaboratable):
    """A :class:`mho.hw.board.BoardTop` on a board: serial line, lights and clock, and nothing else of the board.

    Parameters
    ----------
    board
        The board.
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
