"""All of a board with tiles but its serial line: the chip, its cores emulated, and what it is."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import connect, flipped

from mho.hw.board.board_map import board_map
from mho.hw.board.config import BoardParts
from mho.hw.board.tiles.blocks import EmulatedBlocks
from mho.hw.chip.config import ChipParts, tiles_of
from mho.hw.chip.map import address_width, chip_page
from mho.hw.chip.tops import TiledChip
from mho.hw.emulator import EmulatorConfig
from mho.hw.host.bank import RegisterBank
from mho.hw.host.bus import BusSplit, Region, RegisterBus
from mho.hw.noc.config import MeshConfig
from mho.hw.ports import Component, In, Out
from mho.hw.tile.rtl.host import CORE_AT


@dataclass(frozen=True, kw_only=True)
class TilesConfig(BoardParts):
    """All tiles of a chip of more than one on a board, the macros of their cores emulated.

    Its cores have constants in place of trimmed durations and no write-verify, as on a board of one core.
    """

    slots: int = 8

    @property
    def programs(self) -> bool:
        """Cores in tiles do not program their cells."""
        return False

    @property
    def serial(self) -> bool:
        """They are serial, where their kind has that."""
        return self.kind.serial

    @property
    def cores(self) -> int:
        """How many cores there are."""
        return self.chip.cores

    @property
    def emulator(self) -> EmulatorConfig:
        """The emulator in place of a macro."""
        return self.kind.config(self, ranged=True)

    @property
    def parts(self) -> ChipParts:
        """What the chip is made of. Each lane of a tile has a memory of all parameters: block RAM has room for that."""
        mesh = MeshConfig.from_chip(self.chip)
        return ChipParts(
            tiles=tiles_of(self.chip, copies=True), mesh=mesh,
            core=EmulatedBlocks.emulated(self.kind, self),
            page=chip_page(mesh, self.chip.lines, self.chip.sha256),
        )

    @property
    def load_base(self) -> int:
        """Byte, from that of a tile on, at which the load port of its emulator is."""
        return CORE_AT + EmulatedBlocks.emulated(self.kind, self).load_base

    @property
    def board_base(self) -> int:
        """Byte from which on the board says what it is: behind the chip."""
        return 1 << address_width(MeshConfig.from_chip(self.chip))

    @property
    def address_width(self) -> int:
        """Bits of a byte address of the board."""
        return self.board_base.bit_length()


class BoardTiles(Component[TilesConfig]):
    """A chip of tiles with emulated cores behind a register bus.

    From 0 on is the chip (:func:`mho.hw.chip.map.address_map`), from ``cfg.board_base`` on are the registers of the
    board (:func:`~mho.hw.board.board_map.board_map`).
    """

    bus = In(lambda self: RegisterBus(self.cfg.address_width))
    """The bus."""
    busy = Out(1)
    """The host is at the bus."""
    error = Out(1)
    """The interrupt of the chip, of whatever the host has enabled."""

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
