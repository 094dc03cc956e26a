"""Loading of chip descriptions: presets, files, ``extends`` and overrides."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path

from mho.hw.config.chip import Chip
from mho.hw.config.keys import Table, Tree, as_table, shown
from mho.hw.config.tree import SCHEMA, Place, build_chip, check_tree, class_of, merge
from mho.macro_models.errors import InputError, argument, nearest
from mho.macro_models.files import FileKind, extending, parse_toml, read_text, read_toml

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_PATH})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_PATH})\s*=")
_TOKEN = re.compile(r'''"""|\'\'\'|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#|[\[\]{}]''')


def key_lines(text: str) -> dict[str, int]:
    """Line (from 1) of each table and key, by dotted path, in the order of the text.

    ``text`` parses as TOML. Keys inside inline tables are not listed; look up the table that holds them.
    """
    lines: dict[str, int] = {}
    table = ""
    depth, quote = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        rest = line
        if depth == 0 and not quote:
            if header := _HEADER.match(line):
                table = _dotted(header[1])
                lines.setdefault(table, number)
                continue
            if assignment := _ASSIGNMENT.match(line):
                path = _dotted(assignment[1])
                lines.setdefault(f"{table}.{path}" if table else path, number)
                rest = line[assignment.end():]
        depth, quote = _skip_value(rest, depth, quote)
    return lines


def first_key(text: str) -> str | None:
    """The first key or table of ``text``, or None if there is none."""
    return next(iter(key_lines(text)), None)


def _dotted(path: str) -> str:
    return ".".join(part.strip("\"'") for part in re.findall(_PART, path))


def _skip_value(text: str, depth: int, quote: str) -> tuple[int, str]:
    """Brackets and multi-line quotes that are still open at the end of a line."""
    position = 0
    while position < len(text):
        if quote:
            end = text.find(quote, position)
            if end < 0:
                return depth, quote
            position, quote = end + 3, ""
            continue
        token = _TOKEN.search(text, position)
        if token is None or token[0] == "#":
            return depth, quote
        position = token.end()
        if token[0] in ('"""', "'''"):
            quote = token[0]
        else:
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
    return depth, quote


_SECTIONS = ("energy", "area")
_DIGITS = 6
"""Significant digits of a scaled number."""


def with_costs(
    base: Table, merged: Tree, stated: Table, chip: type[Chip]
) -> Tree:
    """``merged`` with numbers of ``[energy]`` and ``[area]`` that are right for it.

    ``merged`` is ``base`` with what is ``stated`` on top of it. What is stated stays, and a source that is stated is
    that of all numbers, so that no others are known. A number of ``base`` is scaled by
    :meth:`~mho.hw.config.Chip.relative_costs`, and ``extrapolated`` of its section says what changed.
    """
    costs, left = {section: dict(merged.get(section, {})) for section in _SECTIONS}, list[tuple[str, str]]()
    for section, table in costs.items():
        stated_here, before = stated.get(section, {}), base.get(section, {})
        numbers = [name for name, value in stated_here.items() if isinstance(value, int | float)]
        if "source" in stated_here:
            costs[section] = dict(stated_here)
            continue
        if numbers and table.get("source"):
            table["source"] += f"; {', '.join(numbers)} as changed since"
        left += [(section, n) for n, v in before.items() if isinstance(v, int | float) and v and n not in numbers]
    factors, changes = _change(base, merged, chip) if left and stated else ({}, "")
    for section, name in left:
        factor = factors.get(f"{section}.{name}", 1.0)
        if abs(factor - 1.0) > 1e-12:
            table, since = costs[section], base[section].get("extrapolated")
            table[name] = float(f"{table[name] * factor:.{_DIGITS}g}")
            table["extrapolated"] = f"{since}; {changes}" if since else changes
    return merged | {section: table for section, table in costs.items() if section in merged}


def _change(base: Table, merged: Table, chip: type[Chip]) -> tuple[dict[str, float], str]:
    """Factors of the numbers by dotted keys, and what changed."""
    try:
        before, after = (build_chip(tree, chip, lambda *_: "") for tree in (base, merged))
    except InputError:
        return {}, ""  # said where the whole is built, with the place of the value
    changes = [(name, _value(before, name), _value(after, name)) for name in chip.cost_keys]
    sentence = ", ".join(f"{name} {_said(old)} to {_said(new)}" for name, old, new in changes if old != new)
    return after.relative_costs(before), sentence


def _said(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _value(chip: Chip, name: str) -> float | str:
    """That of a dotted key."""
    return reduce(getattr, name.split("."), chip)  # type: ignore[arg-type]


CHIP = FileKind("chip description", 1 << 20)
_PRESETS = Path(__file__).parent / "presets"


def preset_names() -> list[str]:
    """Names of the shipped presets, sorted."""
    return sorted(path.stem for path in _PRESETS.glob("*.toml"))


def preset_text(name: str) -> str:
    """The commented TOML file of a preset.

    Raises InputError if there is no such preset.
    """
    return read_text(_preset_path(name), CHIP)


def load_chip(name_or_path: str | os.PathLike[str], overrides: Mapping[str, object] | Iterable[str] = ()) -> Chip:
    """Load a chip: a preset by its name, or a TOML file by its path.

    Raises InputError if the file cannot be read, or anything in it is unknown, out of range or contradictory. The
    sentence opens with file and line, or with ``--set``.

    Parameters
    ----------
    name_or_path
        ``"neurram-core"``, ``"my-chip.toml"``. What ends in ``.toml`` or has a folder in it is a path.
    overrides
        Values that replace those of the file: ``{"adc.bits": 6}``, or assignments as the command line takes them,
        ``["adc.bits=6"]``.
    """
    path = _find(name_or_path)
    places: dict[str, str] = {}
    tree = _load_tree(path, places, chain=())
    tree.setdefault("name", path.stem)
    chip = class_of(tree, lambda *keys: _place(keys[0], places, str(path)))
    base, stated = tree, Tree()
    for dotted, value in _override_pairs(overrides):
        over = _nested(dotted, value)
        label = f"{argument('overrides')} {dotted}={value if isinstance(value, str) else shown(value)}"
        check_tree(over, chip, _always(label))
        tree, stated = merge(tree, over), merge(stated, over)
        places[dotted] = label
    tree = with_costs(base, tree, stated, chip)
    _relative_files(tree, path.parent)
    return build_chip(tree, chip, lambda *keys: _changed(keys, places, path), folder=path.parent)


def parse_override(text: str) -> tuple[str, object]:
    """Read ``KEY=VALUE``: the value is TOML (``6``, ``12.5``, ``true``, ``"text"``), or a string without quotes.

    Raises InputError if there is no ``=``, or no key before it.
    """
    dotted, equals, value = text.partition("=")
    dotted, value = dotted.strip(), value.strip()
    if not equals or not dotted:
        raise InputError(f"{argument('overrides')} must be KEY=VALUE such as adc.bits=6, not {shown(text)}")
    try:
        parsed = parse_toml(f"value = {value}", argument("overrides"))
    except InputError:
        return dotted, value
    # A line break in the value could have smuggled in more keys.
    return dotted, parsed["value"] if list(parsed) == ["value"] else value


def _override_pairs(overrides: Mapping[str, object] | Iterable[str]) -> list[tuple[str, object]]:
    if (table := as_table(overrides)) is not None:
        return list(table.items())
    return [parse_override(text) for text in overrides]


def _nested(dotted: str, value: object) -> Tree:
    if dotted in ("schema", "extends"):
        raise InputError(f"{argument('overrides')} {dotted}: {dotted} must be written in the file")
    if isinstance(value, Mapping):
        raise InputError(f"{argument('overrides')} {dotted}: takes a single value, not a table")
    first, *rest = dotted.split(".")
    for part in reversed(rest):
        value = {part: value}
    return {first: value}


def _find(name_or_path: str | os.PathLike[str]) -> Path:
    text = os.fspath(name_or_path)
    if text.endswith(".toml") or "/" in text or os.sep in text:
        return Path(text)
    return _preset_path(text)


def _preset_path(name: str) -> Path:
    names = preset_names()
    if name not in names:
        meant = nearest(name, names)
        hint = f"did you mean {meant}?" if meant else f"presets are {', '.join(names)}"
        raise InputError(f"chip {shown(name)} is neither a preset nor a .toml file; {hint}")
    return _PRESETS / f"{name}.toml"


def _load_tree(path: Path, places: dict[str, str], chain: tuple[Path, ...]) -> Tree:
    """Tree of one file on top of what it extends; fills ``places`` with the place of each key."""
    text, tree = read_toml(path, CHIP)
    chain = extending(path, chain)
    lines = key_lines(text)

    def place(key: str) -> str:
        return _place(key, {name: f"{path}:{line}" for name, line in lines.items()}, str(path))

    _check_schema(tree, text, path, place("schema"))
    base: Tree = {}
    if "extends" in tree:
        base = _load_tree(_base_path(tree["extends"], path, place("extends")), places, chain)
        # A chip that extends another has a name and a description of its own.
        base.pop("name", None)
        base.pop("description", None)
    inherited = class_of(base, place)
    chip = class_of(tree, place, inherited().core.kind)
    if base and chip is not inherited:
        kind = inherited().core.kind
        raise InputError(f'{place("core.kind")}: core.kind must be "{kind}", as in the chip that this one extends')
    check_tree(tree, chip, place)
    _anchor_files(tree, path)
    places.update({name: f"{path}:{line}" for name, line in lines.items()})
    return with_costs(base, merge(base, tree), tree, chip)


def _check_schema(tree: Table, text: str, path: Path, place: str) -> None:
    first = first_key(text)
    if first != "schema":
        stated = f"not {first}" if first else "the file is empty"
        raise InputError(f"{path}: schema = {SCHEMA} must be the first key, {stated}")
    if type(tree["schema"]) is not int or tree["schema"] != SCHEMA:
        raise InputError(f"{place}: schema must be {SCHEMA}, not {shown(tree['schema'])}")


def _base_path(extends: object, path: Path, place: str) -> Path:
    if not isinstance(extends, str) or not extends:
        raise InputError(f"{place}: extends must be the name of a preset or a path, not {shown(extends)}")
    base = _find_base(extends, place)
    return base if base.is_absolute() else path.parent / base


def _find_base(extends: str, place: str) -> Path:
    try:
        return _find(extends)
    except InputError as error:
        raise InputError(f"{place}: extends: {error}") from None


def _anchor_files(tree: Tree, path: Path) -> None:
    """Make the macro's files absolute, so that a chip in another folder can extend this one."""
    _rewrite_files(tree, lambda name: str((path.parent / name).resolve()))


def _relative_files(tree: Tree, folder: Path) -> None:
    """Write the macro's files relative to the chip's folder, so that a hash does not depend on where that is."""
    here = folder.resolve()
    _rewrite_files(tree, lambda name: Path(os.path.relpath(here / name, here)).as_posix())


def _rewrite_files(tree: Tree, written: Callable[[str], str]) -> None:
    for section in ("macro", "memory"):
        table: Tree = tree.get(section) or {}
        for key in {"files", "rtl"} & set(table):
            table[key] = [written(name) for name in table[key]]


def _always(label: str) -> Place:
    """The same place of all keys."""
    return lambda *_: label


def _changed(keys: Sequence[str], places: Mapping[str, str], path: Path) -> str:
    """Place of the first of some keys that contradict each other, or of one that an override or the file changed."""
    first = _place(keys[0], places, str(path))
    stated = first, *(places.get(key, "") for key in keys[1:])
    layers = argument("overrides"), f"{path}:"
    return next((place for layer in layers for place in stated if place.startswith(layer)), first)


def _place(key: str, places: Mapping[str, str], default: str) -> str:
    """Place of a key, or of one within it, or of the nearest table around it."""
    while key:
        if key in places:
            return places[key]
        if within := [name for name in places if name.startswith(f"{key}.")]:
            return places[within[-1]]
        key = key.rpartition(".")[0]
    return default
