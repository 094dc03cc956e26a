"""``[tile]``: what runs the program of a core, alone or in a mesh, and which tiles have other sizes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mho.hw.config.keys import ChipError, Section, as_table, key, keys_of, shown
from mho.macro_models.errors import nearest

_OF_ALL = ("programs", "draws", "at")
"""Keys that no tile has for itself."""
_PLACE = re.compile(r"(\d{1,2}|\*),(\d{1,2}|\*)")


@dataclass(frozen=True, kw_only=True)
class TileSection(Section):
    """``[tile]``: what runs the program of a core, alone or in a mesh; ``at`` names tiles that are otherwise."""

    _name = "tile"
    programs: bool = key(
        False, "Networks become programs that the tiles run by themselves, a core alone is a tile then; false: a host "
        "schedules each product.", shapes=("tile",), later=True,
    )
    lanes: int = key(
        4, "Elements that the vector unit takes a cycle.", choices=(2, 4, 8), shapes=("tile",), later=True
    )
    buffer_kib: int = key(
        16, "Buffer, where the rings of the streams are, in KiB.", low=1, high=64, shapes=("tile",), later=True
    )
    parameters: int = key(
        512, "Words of 64 bits of the parameter memory: one a column.", low=16, high=1024, shapes=("tile",), later=True
    )
    instructions: int = key(
        512, "Words of 32 bits of the instruction memory.", low=16, high=512, shapes=("tile",), later=True
    )
    draws: bool = key(
        False, "Vector operations may take random numbers: the operand draw.", shapes=("tile",), later=True
    )
    at: dict[str, dict[str, int]] = key(
        {}, 'Tiles of other sizes: "C,R" = { buffer_kib = 64 } for that of column C and row R, a * for all of them.',
        expects='a table of "COLUMN,ROW" = { KEY = VALUE }', shapes=("tile",), entries=("object",), later=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "at", {place: _sizes(place, table) for place, table in self.at.items()})

    def of(self, column: int, row: int) -> "TileSection":
        """What the tile of a column and row is, with no other one named in it."""
        for place, table in self.at.items():
            if _holds(place, column, row):
                return replace(self, at={}, **table)
        return replace(self, at={})

    def check_places(self, columns: int, rows: int) -> None:
        """Check that ``at`` names tiles of a mesh, each once.

        Raises ChipError if it does not.
        """
        named: dict[tuple[int, int], str] = {}
        for place in self.at:
            path, numbers = f"tile.at.{place}", list(_places(place, columns, rows))
            several = columns * rows > 1
            if not numbers or not (several or self.programs):
                alone = "0,0 alone" if self.programs else "none, since the chip has one core"
                legal = f"0,0 to {columns - 1},{rows - 1}" if several else alone
                raise ChipError(path, f"{path} must name tiles of the mesh, {legal}, not {shown(place)}")
            for node in numbers:
                if (earlier := named.setdefault(node, place)) != place:
                    raise ChipError(path, f"{path} must name tiles that no other entry names, not {node[0]},{node[1]}, "
                                          f"which {shown(earlier)} does")


def _sizes(place: str, table: object) -> dict[str, int]:
    """The sizes of one entry, checked."""
    path = f"tile.at.{place}"
    if not _PLACE.fullmatch(place):
        raise ChipError(path, f'{path} must be a column and a row, such as "2,0", or a * for all of them, '
                              f"not {shown(place)}")
    sizes = as_table(table)
    if sizes is None:
        raise ChipError(path, f"{path} must be a table such as {{ buffer_kib = 64 }}, not {shown(table)}")
    specs = {name: spec for name, spec in keys_of(TileSection).items() if name not in _OF_ALL}
    for name in sizes:
        if name not in specs:
            meant = nearest(str(name), specs)
            hint = f"did you mean {meant}?" if meant else f"a tile has {', '.join(specs)}"
            raise ChipError(f"{path}.{name}", f"unknown key {path}.{name}; {hint}")
    return {name: specs[name].normalise(f"{path}.{name}", value) for name, value in sizes.items()}


def _holds(place: str, column: int, row: int) -> bool:
    return all(part in ("*", str(at)) for part, at in zip(place.split(","), (column, row), strict=True))


def _places(place: str, columns: int, rows: int) -> Iterator[tuple[int, int]]:
    """The tiles of a mesh that an entry names."""
    return ((x, y) for y in range(rows) for x in range(columns) if _holds(place, x, y))
