"""Sizes of a tile."""

from dataclasses import dataclass

from mho.hw.config import TILE_FLITS, Chip
from mho.hw.config.chip import FEWEST_LINES, MOST_ROWS
from mho.hw.core.layout import INPUTS_PER_WORD, OUTPUTS_PER_WORD
from mho.hw.core.shape import check_lines
from mho.hw.kinds import shape
from mho.macro_models.errors import InputError, argument


@dataclass(frozen=True, kw_only=True)
class TileConfig:
    """Static parameters of a tile.

    Raises InputError if a value is out of range.
    """

    lines: int = 256
    """Lines of its core each way, 8 to 1024 in steps of 8: at most ``lines / 4`` words of input codes and ``lines /
    2`` words of output codes an operation."""
    lanes: int = 4
    """Elements that the vector unit takes a cycle: 2, 4 or 8. Bits do not depend on it."""
    buffer_kib: int = 16
    """Size of the buffer, 1 to 64 KiB."""
    parameters: int = 512
    """Words of 64 bits of the parameter memory, 16 to 1024."""
    instructions: int = 512
    """Words of the instruction memory, 16 to 512."""
    payload_bits: int = 64
    """Payload of a flit: 32, 64 or 128."""
    contexts: int = 2
    """Reductions that are set up at a time: 0 (none), 1, 2 or 4."""
    columns: int = 0
    """Output codes of its core, if they are not as many as ``lines``."""
    paired: bool = True
    """Forward a code goes to a pair of lines, so that a product takes half as many; else as many as there are lines."""
    ranged: bool = False
    """The core gives the words of a product that its descriptor names; else all, and the tile takes those."""
    draws: bool = False
    """Vector operations may take random numbers."""
    trace: bool = False
    """Whether a tile tells what its engines end (:mod:`mho.hw.tile.rtl.trace`); else these ports are 0."""
    copies: bool = False
    """Each lane has a memory of all parameters: for FPGAs, whose block RAMs have room for that, and less logic."""
    verilog_word: str = ""
    """In the names of modules, of a chip with tiles of several kinds: what tells this one from the first."""

    def __post_init__(self) -> None:
        check_lines(self.lines, FEWEST_LINES, MOST_ROWS)
        _among("lanes", self.lanes, (2, 4, 8))
        _among("payload_bits", self.payload_bits, (32, 64, 128))
        _among("contexts", self.contexts, (0, 1, 2, 4))
        for name, low, high in (("buffer_kib", 1, 64), ("parameters", 16, 1024), ("instructions", 16, 512)):
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise InputError(f"{name} must be between {low} and {high}, not {value!r}")

    @classmethod
    def from_chip(cls, chip: Chip, column: int = 0, row: int = 0) -> "TileConfig":
        """The tile of a chip at a column and row.

        Raises InputError if a tile cannot have cores of this size or flits of this width.
        """
        mesh, tile, core = chip.mesh, chip.tile.of(column, row), shape(chip)
        if mesh.payload_bits not in TILE_FLITS:
            raise InputError(f"{chip.name}: mesh.payload_bits must be 32 or 64 for tiles, not {mesh.payload_bits}")
        return cls(
            lines=core.lines, payload_bits=mesh.payload_bits, contexts=chip.contexts, lanes=tile.lanes,
            buffer_kib=tile.buffer_kib, parameters=tile.parameters, instructions=tile.instructions, ranged=True,
            draws=tile.draws,
            paired=2 * core.inputs() == core.lines, columns=0 if core.outputs == core.lines else core.outputs,
        )

    @classmethod
    def of_tiles(cls, chip: Chip) -> dict[str, "TileConfig"]:
        """All tiles of a chip, row by row, by their names ``"column,row"``.

        Raises InputError as at :meth:`from_chip`.
        """
        return {f"{column},{row}": cls.from_chip(chip, column, row)
                for row in range(chip.mesh.rows) for column in range(chip.mesh.columns)}

    @property
    def buffer_bytes(self) -> int:
        """Bytes of the buffer."""
        return self.buffer_kib * 1024

    @property
    def input_words(self) -> int:
        """Words of four input codes that the core takes at most."""
        return self.lines // INPUTS_PER_WORD

    @property
    def forward_words(self) -> int:
        """Words of input codes that a forward product takes."""
        return self.input_words // 2 if self.paired else self.input_words

    @property
    def output_words(self) -> int:
        """Words of two output codes that the core gives at most."""
        return (self.columns or self.lines) // OUTPUTS_PER_WORD

    @property
    def flit_bytes(self) -> int:
        """Bytes of a flit's payload."""
        return self.payload_bits // 8


def tile_number(chip: Chip, tile: str) -> int:
    """Number of the tile ``"column,row"`` of a chip, row by row.

    Raises InputError if the chip has no such tile.
    """
    names = list(TileConfig.of_tiles(chip))
    if tile not in names:
        last = f" to {names[-1]}" if len(names) > 1 else ""
        raise InputError(f"{argument('tile')} must be column and row of a tile, {names[0]}{last}, not {tile!r}")
    return names.index(tile)


def _among(name: str, value: object, legal: tuple[int, ...]) -> None:
    if value not in legal:
        raise InputError(f"{name} must be {', '.join(map(str, legal[:-1]))} or {legal[-1]}, not {value!r}")
