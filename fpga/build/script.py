"""What Yosys does beside its usual synthesis."""

from mho.fpga.boards import Board
from mho.hw.board import TilesConfig

__all__ = ["LONGER", "RELAXED", "TILES_APART", "TILES_TOGETHER", "tiles_at"]

RELAXED = ("setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2",)
"""Of a core no word that is read in the cycle in which it is written is used, see docs/design/emulator.md."""

TILES_APART = ("setattr -mod -set keep_hierarchy 1 mho_core_tile*", "scratchpad -set abc9.D 12000")
"""All tiles of a kind are one module, which is synthesised once; logic may take 12 ns, as ABC reckons it, if it is
smaller so."""

LONGER = ("scratchpad -copy abc9.script.flow3 abc9.script",)
"""ABC looks longer than usual for what is smaller. It aborts on some netlists, such as tiles with cells of 4 bits."""

TILES_TOGETHER = ("setattr -mod -unset keep_hierarchy mho_core_tile*", "flatten", "opt_clean")
"""What is placed has no modules."""

_TILE_AT = 'setattr -set BEL "{bel}" c:*.tile_{column}_{row}.tile.buffer.bank_0.words.0.0 t:DP16KD %i'
"""Fixes one memory of a tile, about which nextpnr then places the tile."""


def tiles_at(board: Board, cfg: TilesConfig) -> list[str]:
    """Commands to Yosys that fix where tiles are placed, if the board knows that for their mesh."""
    mesh, places = cfg.chip.mesh, board.tiles_at
    if [len(bels) for bels in places] != [mesh.columns] * mesh.rows:
        return []
    return [
        _TILE_AT.format(bel=bel, column=column, row=row)
        for row, bels in enumerate(places) for column, bel in enumerate(bels)
    ]
