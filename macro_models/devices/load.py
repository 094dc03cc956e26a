"""Strict loading of devices: every wrong key or value is one sentence with file and dotted field."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mho.macro_models.devices.checks import check_whole
from mho.macro_models.devices.device import Device
from mho.macro_models.devices.keys import SECTIONS, TABLE
from mho.macro_models.devices.laws import law_kinds
from mho.macro_models.errors import InputError, argument, nearest
from mho.macro_models.files import FileKind, extending, read_toml
from mho.macro_models.files.schema import shown

DEVICE = FileKind("device", 1 << 24)
_FOLDER = Path(__file__).parent


def device_names() -> list[str]:
    """Names of the shipped devices, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load_device(name_or_path: str | os.PathLike[str], overrides: Mapping[str, object] | None = None) -> Device:
    """Load a device: a shipped one by its name, or a TOML file by its path.

    Raises InputError if the file cannot be read, or a key is unknown, missing or out of range. The sentence opens with
    the file and names the dotted field, or with the override.

    Parameters
    ----------
    name_or_path
        ``"rram-neurram"``, ``"my.toml"``. What ends in ``.toml`` or has a folder in it is a path. A file may say
        ``extends = "rram-neurram"`` (or a path from its own folder) and then only what differs.
    overrides
        Values that replace those of the file, as in ``{"read_noise.source": "our bench"}``.
    """
    path = _find(name_or_path)
    tree = _load_tree(path, ())
    device = device_from_dict(tree, where=str(path))
    if not overrides:
        return device
    for dotted, value in overrides.items():
        section, _, key = dotted.partition(".")
        tree = _merged(tree, {section: {key: value} if key else value})
        TABLE.read(f"{argument('overrides')} {dotted}={shown(value)}: ", tree)
    # What keys must be to each other holds of all of them together.
    return device_from_dict(tree, where=f"{path} with {', '.join(overrides)} changed")


def _load_tree(path: Path, chain: tuple[Path, ...]) -> dict[str, Any]:
    """What a file says, on top of the device that it extends. Name and description are a file's own."""
    _, tree = read_toml(path, DEVICE)
    chain = extending(path, chain)
    base = tree.pop("extends", None)
    if base is None:
        return tree
    if not isinstance(base, str) or not base:
        raise InputError(f"{path}: extends must be the name of a device or a path, not {shown(base)}")
    try:
        base_path = _find(base)
    except InputError as error:
        raise InputError(f"{path}: extends: {error}") from None
    under = _load_tree(base_path if base_path.is_absolute() else path.parent / base_path, chain)
    under.pop("name", None)
    under.pop("description", None)
    return _merged(under, tree)


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """One tree on top of another, section by section."""
    return {
        **under,
        **{
            key: {**under[key], **value} if isinstance(value, dict) and isinstance(under.get(key), dict) else value
            for key, value in over.items()
        },
    }


def device_from_dict(tree: Mapping[str, Any], *, where: str = "device") -> Device:
    """Build a device from nested dicts as in its file, the inverse of :meth:`Device.to_dict`.

    Raises InputError as in :func:`load_device`; the sentence opens with ``where``.
    """
    content = TABLE.read(f"{where}: ", tree)
    del content["schema"]
    laws = [name for name in law_kinds() if name in content]
    laws += ["law"] if content.get("law", {}).get("model") else []
    if len(laws) > 1:
        raise InputError(f"{where}: cells have one law, not {' and '.join(laws)}")
    kind = law_kinds().get(laws[0]) if laws else None
    device = (kind.device if kind else Device)(
        **{name: SECTIONS[name](**v) if name in SECTIONS else v for name, v in content.items()}
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
        near = nearest(text, device_names())
        hint = f"; did you mean {near}?" if near else ""
        raise InputError(f"device must be one of {', '.join(device_names())} or a .toml file, not {shown(text)}{hint}")
    return _FOLDER / f"{text}.toml"
