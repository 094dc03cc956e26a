"""From nested dicts to a :class:`Chip`: strict about names, types and ranges, with the place of every value."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from hw.config.chip import Chip
from hw.config.keys import ChipError, keys_of, nearest, shown
from hw.config.macro import MacroSection
from macro_models.errors import InputError

__all__ = ["SCHEMA", "SECTIONS", "build_chip", "check_tree", "chip_from_dict", "merge"]

SCHEMA = 1
"""Version of the format; a file opens with ``schema = 1``."""

SECTIONS: dict[str, Any] = {
    f.name: f.default_factory for f in fields(Chip) if is_dataclass(f.default_factory)
} | {"macro": MacroSection}
"""Section name to its class, in the order of the description."""

Place = Callable[[str], str]
"""Where a dotted path stands, e.g. ``"chip.toml:12"``."""


def check_tree(tree: Mapping[str, Any], place: Place) -> None:
    """Check names, types and ranges of one file or one set of overrides, before it is merged.

    Raises
    ------
    InputError
        "chip.toml:7: unknown key cells.g_max_us; did you mean g_max_uS?", or "...: X must be A to B, not V".
    """
    top = keys_of(Chip)
    for name, value in tree.items():
        if name in ("schema", "extends"):
            continue
        if name in SECTIONS:
            if not isinstance(value, Mapping):
                raise InputError(f"{place(name)}: {name} must be a table, not {shown(value)}")
            _check_section(name, value, place)
        elif name in top:
            _check_value(top[name], name, value, place)
        else:
            raise InputError(f"{place(name)}: {_unknown(name, '')}")


def _check_section(section: str, table: Mapping[str, Any], place: Place) -> None:
    specs = keys_of(SECTIONS[section])
    for name, value in table.items():
        path = f"{section}.{name}"
        if name not in specs:
            raise InputError(f"{place(path)}: {_unknown(name, section)}")
        _check_value(specs[name], path, value, place)


def _check_value(spec: Any, path: str, value: object, place: Place) -> None:
    try:
        spec.normalise(path, value)
    except ChipError as error:
        raise InputError(f"{place(path)}: {error}") from None


def _unknown(name: str, section: str) -> str:
    """Sentence for an unknown key: the nearest name in its section, else in another section, else what there is."""
    path = f"{section}.{name}" if section else name
    siblings = list(keys_of(SECTIONS[section])) if section else [*keys_of(Chip), "schema", "extends", *SECTIONS]
    homes = {key: f"{other}.{key}" for other, cls in SECTIONS.items() for key in keys_of(cls)}
    # A key that was only put into the wrong section is meant more surely than one that is spelled alike.
    meant = homes.get(name) or nearest(name, siblings) or homes.get(nearest(name, homes) or "")
    if meant is None:
        where = f"[{section}]" if section else "a chip description"
        return f"unknown key {path}; {where} has {', '.join(siblings)}"
    return f"unknown key {path}; did you mean {meant}?"


def merge(base: dict[str, Any], over: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """``base`` with the keys of ``over``; tables are merged key by key, everything else is replaced."""
    result = dict(base)
    for name, value in over.items():
        below = result.get(name)
        inner = f"{path}{name}"
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[name] = merge(dict(below), value, f"{inner}.")
        else:
            result[name] = dict(value) if isinstance(value, Mapping) else value
    return result


def build_chip(tree: Mapping[str, Any], place: Place, folder: Path | None = None) -> Chip:
    """Chip of a tree that :func:`check_tree` has seen.

    Raises
    ------
    InputError
        If values contradict each other; the sentence opens with the place of one of them.
    """
    values = {name: value for name, value in tree.items() if name not in ("schema", "extends")}
    try:
        sections = {name: SECTIONS[name](**value) for name, value in values.items() if name in SECTIONS}
        return Chip(**(values | sections), folder=folder)
    except ChipError as error:
        raise InputError(f"{place(error.key)}: {error}") from None


def chip_from_dict(content: Mapping[str, Any], *, origin: str) -> Chip:
    """See :meth:`Chip.from_dict`."""
    if not isinstance(content, Mapping):
        raise InputError(f"{origin}: a chip must be a table, not {shown(content)}")
    if content.get("schema") != SCHEMA:
        raise InputError(f"{origin}: schema must be {SCHEMA}, not {shown(content.get('schema'))}")
    if "extends" in content:
        raise InputError(f"{origin}: extends must be resolved, not {shown(content['extends'])}")

    def place(_path: str) -> str:
        return origin

    check_tree(content, place)
    return build_chip(content, place)
