"""Which tiles of a mesh have waves."""

import re
from collections.abc import Sequence

from mho.hw.noc.config import MeshConfig
from mho.macro_models.errors import InputError, argument

__all__ = ["traced_tiles", "waves_arguments"]


def traced_tiles(mesh: MeshConfig, some: Sequence[str]) -> list[int]:
    """Numbers of tiles that are given as ``"C,R"``, column and row.

    Raises
    ------
    InputError
        If the mesh has no such tile.
    """
    columns, rows = mesh.columns, mesh.rows
    found = []
    for one in some:
        place = re.fullmatch(r"(\d+),(\d+)", one)
        if place is None or int(place[1]) >= columns or int(place[2]) >= rows:
            raise InputError(f"{argument('waves_tiles')} must be column and row of a tile, from 0,0 to "
                             f"{columns - 1},{rows - 1}, not {one!r}")
        found.append(int(place[2]) * columns + int(place[1]))
    return found


def waves_arguments(numbers: Sequence[int] | None) -> list[str]:
    """Arguments of a simulator that traces these tiles alone, or all: see ``tile_waves.h``."""
    return [] if numbers is None else [f"+mho_waves={','.join(map(str, numbers))}"]
