"""JSON Schema and page of the chip description: ``python -m tests.hw.config.chip_page`` writes both, in a clone.

They are ``hw/config/chip.schema.json``, which ships, and ``docs/reference/chip.md``.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

from mho.hw.config.chip import DEFAULT_KIND, Chip, sections_of
from mho.hw.config.keys import KeySpec, Section, Tree, keys_of, shown
from mho.hw.config.kinds import chip_class, kind_names
from mho.hw.config.load import load_chip, preset_names
from mho.hw.config.tree import SCHEMA

ROOT = Path(__file__).parents[3]
SCHEMA_FILE = ROOT / "hw" / "config" / "chip.schema.json"
PAGE_FILE = ROOT / "docs" / "reference" / "chip.md"

_TYPES: dict[type[object], str] = {
    bool: "boolean", int: "integer", float: "number", str: "string", tuple: "array", dict: "object",
}


def json_schema() -> Tree:
    """The schema of a chip file as nested dicts, built from the dataclasses: one of those of the kinds."""
    schemas = [_schema(chip_class(kind), kind) for kind in kind_names()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mho chip description",
        **(schemas[0] if len(schemas) == 1 else {"anyOf": schemas}),
    }


def _schema(chip: type[Chip], kind: str) -> Tree:
    presets = [name for name in preset_names() if load_chip(name).core.kind != kind]
    properties: Tree = {
        "schema": {"const": SCHEMA, "description": "Version of the format; the first key of the file."},
        "extends": {
            "type": "string", "description": "Preset or file from which absent keys are taken.",
            "not": {"enum": presets},
        },
    }
    properties |= {name: _property(spec) for name, spec in keys_of(chip).items()}
    for name, section in sections_of(chip).items():
        properties[name] = {
            "type": "object",
            "description": (section.__doc__ or "").splitlines()[0].replace("``", ""),
            "properties": {key: _property(spec) for key, spec in keys_of(section).items()},
            "additionalProperties": False,
        }
    properties["macro"]["required"] = ["module"]
    # A file is of this kind if it says so, if it extends one that may be, or, of the usual kind, if it says nothing.
    said = [{"required": ["core"], "properties": {"core": {"required": ["kind"]}}}, {"required": ["extends"]}]
    of_kind = {} if kind == DEFAULT_KIND else {"anyOf": said}
    return {
        "type": "object", "properties": properties, "required": ["schema"], "additionalProperties": False, **of_kind,
    }


def schema_text() -> str:
    """The schema as it is shipped."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _property(spec: KeySpec) -> Tree:
    kind = cast("type[object]", type(spec.default))
    result: Tree = {"type": _TYPES[kind], "description": spec.doc}
    if kind in (bool, int, float, str):
        result["default"] = spec.default
    if spec.choices:
        result["enum"] = list(spec.choices)
    if spec.low is not None and not spec.choices:
        result |= {"minimum": spec.low, "maximum": spec.high}
    if kind is tuple:
        result["items"] = {"type": "string", "pattern": f"^(?:{spec.pattern})$"}
    elif spec.pattern:
        result["pattern"] = f"^(?:{spec.pattern})$"
    if kind is dict:
        result["additionalProperties"] = {"type": list(spec.entries)}
    return result


_HEAD = """\
<!-- Written by `python -m tests.hw.config.chip_page`; a test compares it with the code. -->
# Keys of the chip description

A chip is a TOML file that opens with `schema = 1`. `extends` names a preset, or a file relative to this one, from which
absent keys are taken; without it, and for what that leaves out, the defaults below hold. They are those of
[`neurram-core`](../../hw/config/presets/neurram-core.toml), where each number has its source. `--set SECTION.KEY=VALUE`
replaces a value wherever a command takes a chip.

Units stand at the end of a key. A key that is not on this page is refused. Behind each key are its default, what is
legal, and in italics the hardware that is generated otherwise for another value: *core*, network on chip (*noc*), what
a *tile* has around them, *emulator* of a board, *adapter* of a macro of your own. The other keys are in the models, and
in what registers hold after reset.

`core.kind` is the kind of a core; each kind has sections of its own beside those of all chips.
"""


def reference_page() -> str:
    """Markdown of ``docs/reference/chip.md``: presets, what all chips have, then what each kind adds."""
    parts = [_HEAD, "## Presets\n", _presets(), "## Top level\n", _list(keys_of(Chip))]
    common = sections_of(Chip)
    parts += _sections(common, lambda name: name != "core")
    for kind in kind_names():
        parts += [f"## Kind `{kind}`\n"]
        parts += _sections(sections_of(chip_class(kind)), lambda name: name == "core" or name not in common, "###")
    return "\n".join(parts)


def _sections(sections: Mapping[str, type[Section]], chosen: Callable[[str], bool], mark: str = "##") -> Iterator[str]:
    for name, section in sections.items():
        if chosen(name):
            what = (section.__doc__ or "").splitlines()[0].partition(": ")[2]
            keys = _list(keys_of(section), f"{name}.")
            yield from (f"{mark} `[{name}]`\n", f"{what[:1].upper()}{what[1:]}\n", keys)


def _presets() -> str:
    chips = map(load_chip, preset_names())
    rows = [f"* [`{chip.name}`](../../hw/config/presets/{chip.name}.toml): {chip.description}" for chip in chips]
    return "\n".join(rows) + "\n"


def _list(specs: dict[str, KeySpec], section: str = "") -> str:
    rows = list[str]()
    for name, spec in specs.items():
        default = "" if isinstance(spec.default, dict) else f" = `{shown(spec.default)}`"
        shapes = f"; {', '.join(f'*{part}*' for part in spec.shapes)}" if spec.shapes else ""
        rows.append(f"* `{section}{name}`{default} ({spec.legal()}{shapes}): {spec.doc}")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    PAGE_FILE.write_text(reference_page(), encoding="utf-8")
