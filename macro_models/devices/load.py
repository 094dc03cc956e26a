"""Strict loading of devices: every wrong key or value is one sentence with file and dotted field."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from macro_models.devices.checks import check_whole
from macro_models.devices.device import Device
from macro_models.devices.keys import OF_LAWS, SECTIONS, TABLE
from macro_models.devices.laws import law_kinds
from macro_models.errors import InputError
from macro_models.files import FileKind, extending, read_text, read_toml
from macro_models.files.schema import shown

__all__ = ["device_from_dict", "device_names", "device_text", "load_device"]

DEVICE = FileKind("device", 1 << 24)
_FOLDER = Path(__file__).parent


def device_names() -> list[str]:
    """Names of the shipped devices, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def device_text(name: str) -> str:
    """The commented TOML file of a shipped device.

    Raises
    ------
    InputError
        If there is no such device.
    """
    return read_text(_find(name), DEVICE)


def load_device(name_or_path: str | os.PathLike[str]) -> Device:
    """Load a device: a shipped one by its name, or a TOML file by its path.

    Parameters
    ----------
    name_or_path
        ``"rram-neurram"``, ``"my.toml"``. What ends in ``.toml`` or has a folder in it is a path. A file may say
        ``extends = "rram-neurram"`` (or a path from its own folder) and then only what differs.

    Raises
    ------
    InputError
        If the file cannot be read, or a key is unknown, missing or out of range. The sentence opens with the file and
        names the dotted field.
    """
    path = _find(name_or_path)
    return device_from_dict(_load_tree(path, ()), where=str(path))


def _load_tree(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """What a file says, on top of the device that it extends. Name and description are a file's own."""
    _, tree = read_toml(path, DEVICE)
    seen = extending(path, seen)
    base = tree.pop("extends", None)
    if base is None:
        return tree
    if not isinstance(base, str) or not base:
        raise InputError(f"{path}: extends must be the name of a device or a path, not {shown(base)}")
    try:
        found = _find(base)
    except InputError as error:
        raise InputError(f"{path}: extends: {error}") from None
    under = _load_tree(found if found.is_absolute() else path.parent / found, seen)
    under.pop("name", None)
    under.pop("description", None)
    return {
        **under,
        **{
            key: {**under[key], **value} if isinstance(value, dict) and isinstance(under.get(key), dict) else value
            for key, value in tree.items()
        },
    }


def device_from_dict(tree: Mapping[str, Any], *, where: str = "device") -> Device:
    """Build a device from nested dicts as in its file, the inverse of :meth:`Device.to_dict`.

    Raises
    ------
    InputError
        As in :func:`load_device`; the sentence opens with ``where``.
    """
    content = TABLE.read(f"{where}: ", tree)
    del content["schema"]
    sections = {**SECTIONS, **OF_LAWS}
    laws = [name for name in OF_LAWS if name in content]
    laws += ["law"] if content.get("law", {}).get("model") else []
    if len(laws) > 1:
        raise InputError(f"{where}: cells have one law, not {' and '.join(laws)}")
    kind = law_kinds().get(laws[0]) if laws else None
    device = (kind.device if kind else Device)(
        **{name: sections[name](**v) if name in sections else v for name, v in content.items()}
    )
    check_whole(device, where)
    if kind:
        kind.check(device, where)
    return device


def _find(name_or_path: str | os.PathLike[str]) -> Path:
    text = os.fspath(name_or_path)
    if text.endswith(".toml") or os.sep in text:
        return Path(text)
    if text not in device_names():
        raise InputError(f"device must be one of {', '.join(device_names())} or a .toml file, not {shown(text)}")
    return _FOLDER / f"{text}.toml"
