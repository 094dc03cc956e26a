"""Static parameters of a chip of tiles on a board."""

from dataclasses import dataclass

from mho.hw.board.parts import BoardParts
from mho.hw.board.tiles.blocks import EmulatedBlocks
from mho.hw.chip.config import ChipParts, tiles_of
from mho.hw.chip.map import address_width, chip_page
from mho.hw.config import Chip
from mho.hw.emulator import EmulatorConfig
from mho.hw.noc.config import MeshConfig
from mho.hw.tile.rtl.host import CORE_AT
from mho.macro_models.errors import InputError


@dataclass(frozen=True, kw_only=True)
class TilesConfig(BoardParts):
    """All tiles of ``chip`` on a board, the macros of their cores emulated.

    Raises
    ------
    InputError
        If a value is out of range, the parts do not fit together, or the chip has one core.
    """

    chip: Chip
    """What is emulated. Its tiles are those of the chip; its cores have constants in place of trimmed durations and no
    write-verify, as on a board of one core."""
    lanes: int = 8
    slots: int = 8
    memory: str = "block"
    noise: bool = False
    """Of each core, as in :class:`mho.hw.emulator.EmulatorConfig`."""
    clock_hz: int = 24_000_000
    baud: int = 3_000_000
    link_bytes: int = 512
    """As in :class:`mho.hw.board.BoardConfig`."""

    def __post_init__(self) -> None:
        try:
            _ = self.parts, self.uart, self.link
        except ValueError as error:
            raise InputError(str(error)) from None

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
