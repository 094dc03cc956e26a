"""Processes: where the files of a PDK are, and what a flow must know of it beside them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.files import FileKind, read_file, read_toml, unpacked
from mho.macro_models.files.schema import ListOf, Optional, Table, Text, Type
from mho.macro_models.files.scripts import is_plain
from mho.sim.layout import pdks

OWN_SETTINGS = "mho.toml"
"""Settings in the folder of a PDK, which go before those that are shipped."""

_SETTINGS = FileKind("TOML file", 1 << 20)
_PACKED = FileKind("file of a PDK", 1 << 30)

_NAMES, _LIST = ListOf(Text(1)), Type(list, "a list")
_SHAPE = Table({
    "files": Table(dict.fromkeys(
        ("technology", "cells", "layouts", "netlists", "models", "latches", "layers", "colours", "power_grid", "wires",
         "extraction", "drc", "lvs"), Text(1))),
    "corners": Table(dict.fromkeys(("slow", "typ", "fast"), Text(1))),
    "cells": Table({**dict.fromkeys(("site", "driver", "diode", "power", "ground"), Text(1)),
                    **dict.fromkeys(("unused", "clock", "latch", "high", "low", "fill"), _NAMES)}),
    "routing": Table({"signal": Text(1), "spared": _LIST, "across": Text(1), "along": Text(1), "macro_power": _NAMES,
                      "part_power": _NAMES, "tracks": _LIST, "lane_um": Type(float, "a number with a point")}),
    "memories": Optional(Table({
        **dict.fromkeys(("prefix", "lef", "layouts", "netlists", "models", "liberty", "slow", "typ", "fast"), Text(1)),
        "power": _NAMES, "stripes": _LIST})),
    "fill": Optional(_LIST),
})


@dataclass(frozen=True, kw_only=True)
class Pdk:
    """A process."""

    name: str
    folder: Path
    """Of its settings; where its files are."""
    files: dict[str, str]
    corners: dict[str, str]
    """Paths in the folder, by use; Liberty of the cells by corner."""
    cells: dict[str, Any]
    routing: dict[str, Any]
    memories: dict[str, Any]
    fill: list[dict[str, Any]]
    """Names of cells; layers and tracks; where views of SRAM are; rules of fill: as in the settings."""

    def has(self, use: str) -> bool:
        """Whether the file of a use is there, packed or not."""
        return any((self.folder / f"{self.files[use]}{end}").is_file() for end in ("", ".gz"))

    def file(self, path: str, folder: Path) -> Path:
        """A file of the PDK; one that is packed is unpacked into a folder.

        Raises InputError if it is not there, or is larger than 1 GiB.
        """
        plain, packed = self.folder / path, self.folder / f"{path}.gz"
        if plain.is_file():
            return plain
        if not packed.is_file():
            raise InputError(f"{self.folder}: must have the file {path}, or {path}.gz, which {self.name} takes")
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(unpacked(packed, read_file(packed, _PACKED), _PACKED))
        return place


def find_pdk(folder: Path) -> Pdk:
    """The process whose PDK is in a folder: by ``mho.toml`` there, else by the settings whose files are there.

    Raises InputError if there is none, or settings are wrong. Raises ToolError if the folder's path is none for
    scripts.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        raise InputError(f"{folder}: must be a folder with a PDK")
    if not is_plain(folder):
        raise ToolError(f"{folder}: must be a path without blanks and signs but . _ + -, since flows' scripts take it")
    own = folder / OWN_SETTINGS
    if own.exists():
        return _read(own, folder)
    shipped = sorted(Path(next(iter(pdks.__path__))).glob("*.toml"))
    for pdk in (_read(path, folder) for path in shipped):
        if pdk.has("technology"):
            return pdk
    names = ", ".join(path.stem for path in shipped)
    raise InputError(f"{folder}: must be the PDK of {names}, or have settings of its own in {OWN_SETTINGS}")


def _read(path: Path, folder: Path) -> Pdk:
    _, data = read_toml(path, _SETTINGS)
    _SHAPE.read(f"{path}: ", data)
    _check_words(path, data)
    return Pdk(name=path.stem if path.name != OWN_SETTINGS else folder.name, folder=folder,
               fill=data.get("fill", []), memories=data.get("memories", {}),
               **{section: data[section] for section in ("files", "corners", "cells", "routing")})


def _check_words(path: Path, value: Any) -> None:
    """Every text is one word to scripts, no path leaves the folder, and nothing else is there but numbers."""
    if isinstance(value, str) and (not is_plain(Path(value)) or value.startswith("/") or ".." in value):
        raise InputError(f"{path}: {value[:60]!r} must be of letters, digits and . _ + - /, within the PDK's folder")
    if not isinstance(value, str | dict | list | int | float):
        raise InputError(f"{path}: {value} must be a word, a number, a list or a table")
    for inner in (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_words(path, inner)
