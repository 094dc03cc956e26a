"""Which kind of thing a name or a file is: a run, a chip or a device."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from mho.macro_models.errors import InputError, nearest
from mho.macro_models.files import FileKind, read_toml

KINDS = {"run": "the result of a run", "chip": "a chip", "device": "a device"}
"""The kinds, and what one of each is called."""

_TOML = FileKind("TOML file", 1 << 24)


def one_kind(paths: Sequence[str]) -> str:
    """The kind of all of them, of :data:`KINDS`.

    Raises InputError if they are not all of one, or a name is none that is known.
    """
    kinds = [kind_of(path) for path in paths]
    for path, kind in zip(paths, kinds, strict=True):
        if kind != kinds[0]:
            raise InputError(
                f"{path}: is {KINDS[kind]}, and {paths[0]} {KINDS[kinds[0]]}: things of one kind are set side by side"
            )
    return kinds[0]


def kind_of(path: str) -> str:
    """The kind of one: a preset and a shipped device by name, a TOML file by its sections, all else is a run.

    Raises InputError if it is neither a name that is known nor a file.
    """
    from mho.hw.config import preset_names
    from mho.macro_models.devices import device_names

    if path in preset_names():
        return "chip"
    if path in device_names():
        return "device"
    if path.endswith(".toml"):
        return _kind_of_tree(Path(path), read_toml(Path(path), _TOML)[1], preset_names())
    if not Path(path).suffix and not Path(path).exists():
        near = nearest(path, [*preset_names(), *device_names()])
        hint = f"; did you mean {near}?" if near else ""
        raise InputError(f"{path}: is no file, no preset of a chip and no shipped device{hint}")
    return "run"


def _kind_of_tree(path: Path, tree: dict[str, object], presets: Sequence[str]) -> str:
    """A file by the sections that only one kind has, or by what it extends."""
    from mho.hw.config import Chip
    from mho.macro_models.devices import Device

    chip, device = ({field.name for field in fields(kind)} for kind in (Chip, Device))
    votes = sum((key in device) - (key in chip) for key in tree)
    base = tree.get("extends")
    if votes or not isinstance(base, str):
        return "device" if votes > 0 else "chip"
    if not base.endswith(".toml"):
        return "chip" if base in presets else "device"
    under = path.parent / base
    return "chip" if under == path else _kind_of_tree(under, read_toml(under, _TOML)[1], presets)
