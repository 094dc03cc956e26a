"""The reference page of the chip description, built from the dataclasses and the presets."""

from collections.abc import Callable, Iterator, Mapping

from mho.hw.config.chip import Chip, sections_of
from mho.hw.config.keys import KeySpec, Section, keys_of, shown
from mho.hw.config.kinds import chip_class, kind_names
from mho.hw.config.load import load_chip, preset_names

_HEAD = """\
<!-- Written by `python -m mho.hw.config`; a test compares it with the code. -->
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
