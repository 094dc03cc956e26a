"""Which tiles of a mesh have waves."""

import re
from collections.abc import Sequence

from mho.hw.noc.config import MeshConfig
from mho.macro_models.errors import InputError, argument

__all__ = ["traced_tiles", "waves_arguments"]


def traced_tiles(mesh: MeshConfig, names: Sequence[str]) -> list[int]:
    """Numbers of tiles that are given as ``"C,R"``, column and row.

    Raises
    ------
    InputError
        If the mesh has no such tile.
    """
    columns, rows = mesh.columns, mesh.rows
    nodes = []
    for name in names:
        place = re.fullmatch(r"(\d+),(\d+)", name)
        if place is None or int(place[1]) >= columns or int(place[2]) >= rows:
            raise InputError(f"{argument('waves_tiles')} must be column and row of a tile, from 0,0 to "
                             f"{columns - 1},{rows - 1}, not {name!r}")
        nodes.append(int(place[2]) * columns + int(place[1]))
    return nodes


def waves_arguments(numbers: Sequence[int] | None) -> list[str]:
    """Arguments of a simulator that traces these tiles alone, or all: see ``tile_waves.h``."""
    return [] if numbers is None else [f"+mho_waves={','.join(map(str, numbers))}"]
