"""From a network to the programs of tiles. See ``docs/design/tile-compiler.md``."""

from mho.compiler.tile.pipelined import with_programs
from mho.compiler.tile.programs import TilePrograms, tile_code, tile_programs

__all__ = ["TilePrograms", "tile_code", "tile_programs", "with_programs"]
