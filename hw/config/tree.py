"""From nested dicts to a :class:`Chip`: strict about names, types and ranges, with the place of every value."""

from collections.abc import Callable
from pathlib import Path

from mho.hw.config.chip import DEFAULT_KIND, Chip, sections_of
from mho.hw.config.keys import ChipError, KeySpec, Table, Tree, as_table, keys_of, shown
from mho.hw.config.kinds import chip_class
from mho.macro_models.errors import InputError, nearest

SCHEMA = 1
"""Version of the format; a file opens with ``schema = 1``."""

Place = Callable[..., str]
"""Where a dotted path stands, e.g. ``"chip.toml:12"``; further ones are of what it contradicts."""


def class_of(tree: Table, place: Place, kind: str = DEFAULT_KIND) -> type[Chip]:
    """Class of the chip that a file describes; ``kind`` is that of a file that does not say one.

    Raises InputError if there is no such kind.
    """
    core = as_table(tree.get("core")) or {}
    try:
        return chip_class(core.get("kind", kind))
    except ChipError as error:
        raise InputError(f"{place(error.key)}: {error}") from None


def check_tree(tree: Table, chip: type[Chip], place: Place) -> None:
    """Check names, types and ranges of one file or one set of overrides, before it is merged.

    Raises
    ------
    InputError
        "chip.toml:7: unknown key cells.g_max_us; did you mean g_max_uS?", or "...: X must be A to B, not V".
    """
    top, sections = keys_of(chip), sections_of(chip)
    for name, value in tree.items():
        if name in ("schema", "extends"):
            continue
        if name in sections:
            if (table := as_table(value)) is None:
                raise InputError(f"{place(name)}: {name} must be a table, not {shown(value)}")
            _check_section(name, table, chip, place)
        elif name in top:
            _check_value(top[name], name, value, place)
        else:
            raise InputError(f"{place(name)}: {_unknown(name, '', chip)}")


def _check_section(section: str, table: Table, chip: type[Chip], place: Place) -> None:
    specs = keys_of(sections_of(chip)[section])
    for name, value in table.items():
        path = f"{section}.{name}"
        if name not in specs:
            raise InputError(f"{place(path)}: {_unknown(name, section, chip)}")
        _check_value(specs[name], path, value, place)


def _check_value(spec: KeySpec, path: str, value: object, place: Place) -> None:
    try:
        spec.normalise(path, value)
    except ChipError as error:
        raise InputError(f"{place(path)}: {error}") from None


def _unknown(name: str, section: str, chip: type[Chip]) -> str:
    """Sentence for an unknown key: the nearest name in its section, else in another section, else what there is."""
    path = f"{section}.{name}" if section else name
    sections = sections_of(chip)
    if instead := getattr(sections.get(section), "instead", {}).get(name):
        return f"unknown key {path}; {instead}"
    siblings = list(keys_of(sections[section])) if section else [*keys_of(chip), "schema", "extends", *sections]
    homes = {key: f"{home}.{key}" for home, cls in sections.items() for key in keys_of(cls)}
    # A key that was only put into the wrong section is meant more surely than one that is spelled alike.
    meant = homes.get(name) or nearest(name, siblings) or homes.get(nearest(name, homes) or "")
    if meant is None:
        where = f"[{section}]" if section else "a chip description"
        return f"unknown key {path}; {where} has {', '.join(siblings)}"
    return f"unknown key {path}; did you mean {meant}?"


def merge(base: Tree, over: Table) -> Tree:
    """``base`` with the keys of ``over``; tables are merged key by key, everything else is replaced."""
    result = dict(base)
    for name, value in over.items():
        below, table = as_table(result.get(name)), as_table(value)
        if table is None:
            result[name] = value
        else:
            result[name] = merge(dict(below or {}), table)
    return result


def build_chip(tree: Table, chip: type[Chip], place: Place, folder: Path | None = None) -> Chip:
    """Chip of a tree that :func:`check_tree` has seen.

    Raises InputError if values contradict each other; the sentence opens with the place of one of them.
    """
    values = {name: value for name, value in tree.items() if name not in ("schema", "extends")}
    classes = sections_of(chip)
    try:
        sections = {name: classes[name](**value) for name, value in values.items() if name in classes}
        return chip(**(values | sections), folder=folder)
    except ChipError as error:
        raise InputError(f"{place(error.key, *error.named)}: {error}") from None


def chip_from_dict(content: object, *, origin: str = "chip description") -> Chip:
    """Inverse of :meth:`Chip.to_dict`, as strict as the loader of files.

    Raises InputError if a key is unknown or a value is wrong; ``origin`` opens the sentence.
    """
    tree = as_table(content)
    if tree is None:
        raise InputError(f"{origin}: a chip must be a table, not {shown(content)}")
    if tree.get("schema") != SCHEMA:
        raise InputError(f"{origin}: schema must be {SCHEMA}, not {shown(tree.get('schema'))}")
    if "extends" in tree:
        raise InputError(f"{origin}: extends must be resolved, not {shown(tree['extends'])}")

    def place(*_paths: str) -> str:
        return origin

    chip = class_of(tree, place)
    check_tree(tree, chip, place)
    return build_chip(tree, chip, place)
