"""The parts of a chip that can be generated alone, and the files of each. A part is a module here."""

from pathlib import Path

from mho.hw.chip import top_name
from mho.hw.config import Chip
from mho.macro_models.errors import InputError
from mho.rtl_gen.parts.core import core_texts
from mho.rtl_gen.parts.noc import noc_texts
from mho.rtl_gen.parts.tiles import chip_texts, tile_texts, which_tile

__all__ = ["PARTS", "default_part", "part_texts", "part_top", "part_wrap", "which_tile"]

PARTS = ("core", "noc", "tile", "chip")
"""What there is."""

_BARE = {
    "noc": "wrap must be none for part noc, whose nodes and host have streams, not",
    "tile": "wrap must be none for part tile, which its neighbours reach, not",
}
"""Parts without a bus, and what to say to somebody who asks for one."""

_TOPS = {"noc": "noc", "tile": "core_tile"}


def default_part(chip: Chip) -> str:
    """What is generated of a chip where nobody says: all of it."""
    return "chip" if chip.tiled else "core"


def part_wrap(part: str, wrap: str | None) -> str:
    """The bus around a part, which is Wishbone for a core and a chip unless another is asked for.

    Raises
    ------
    InputError
        If there is no such part, or it has no bus.
    """
    if part not in PARTS:
        raise InputError(f"part must be one of {', '.join(PARTS)}, not {part!r}")
    if part in _BARE and wrap not in (None, "none"):
        raise InputError(f"{_BARE[part]} {wrap!r}")
    return wrap or ("none" if part in _BARE else "wishbone")


def part_top(part: str, wrap: str, word: str = "") -> str:
    """Name of the top module of a part without the prefix; with the ``word`` of its kind, if it has one."""
    return "_".join(filter(None, (_TOPS[part], word))) if part in _TOPS else top_name(wrap, part)


def part_texts(
    part: str, chip: Chip, output: Path, wrap: str, name: str, prefix: str, tile: int = 0
) -> dict[str, str]:
    """Texts of all files of a part, by path in the folder ``output``.

    Raises
    ------
    InputError
        If the chip has no such part, or the name of the top is that of another module.
    """
    if part == "noc":
        return noc_texts(chip, name, prefix)
    if part == "tile":
        return tile_texts(chip, output, name, prefix, tile)
    return (chip_texts if part == "chip" else core_texts)(chip, output, wrap, name, prefix)
