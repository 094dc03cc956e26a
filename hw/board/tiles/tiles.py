"""All of a board with tiles but its serial line: the chip, its cores emulated, and what it is."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import connect, flipped

from mho.hw.board.board_map import board_map
from mho.hw.board.tiles.config import TilesConfig
from mho.hw.chip.chip import TiledChip
from mho.hw.chip.map import address_width
from mho.hw.host.bank import RegisterBank
from mho.hw.host.bus import RegisterBus
from mho.hw.host.split import BusSplit, Region
from mho.hw.ports import Component, In, Out


class BoardTiles(Component[TilesConfig]):
    """A chip of tiles with emulated cores behind a register bus.

    From 0 on is the chip (:func:`mho.hw.chip.map.address_map`), from ``cfg.board_base`` on are the registers of the
    board (:func:`~mho.hw.board.board_map.board_map`).

    Members
    -------
    bus : In(RegisterBus)
        The bus.
    busy : Out(1)
        The host is at the bus.
    error : Out(1)
        The interrupt of the chip, of whatever the host has enabled.
    """

    bus = In(lambda self: RegisterBus(self.cfg.address_width))
    busy = Out(1)
    error = Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        parts = cfg.parts
        bank: Any = RegisterBank(board_map(cfg))
        chip: Any = TiledChip(parts)
        split: Any = BusSplit(cfg.address_width, (
            Region("chip", 0, address_width(parts.mesh)), Region("board", cfg.board_base, bank.map.address_width),
        ))
        m.submodules.split, m.submodules.board, m.submodules.chip = split, bank, chip
        connect(m, flipped(self.bus), split.bus)
        connect(m, split.chip, chip.bus)
        connect(m, split.board, bank.bus)
        m.d.comb += [
            bank.state.no_table.eq(chip.irq), self.busy.eq(self.bus.request.valid), self.error.eq(chip.irq),
        ]
        return m
