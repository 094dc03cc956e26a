"""The top of a board, as its bitstream and its simulation are made from."""

from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring

from mho.hw.board import BoardTop, TilesConfig
from mho.rtl_gen.verilog.netlist import emit


class VerilogTop(wiring.Component):
    """A :class:`mho.hw.board.BoardTop` with tiles, as an instance of its Verilog, in which what is alike is one module.

    Members
    -------
    rx, tx, leds
        As of :class:`mho.hw.board.BoardTop`.
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
