"""The reference page of the chip description, built from the dataclasses and the presets."""

from hw.config.chip import Chip
from hw.config.keys import KeySpec, keys_of, shown
from hw.config.load import load_chip, preset_names
from hw.config.tree import SECTIONS

__all__ = ["reference_page"]

_HEAD = """\
<!-- Written by `python -m hw.config`; a test compares it with the code. -->
# Keys of the chip description

A chip is a TOML file that opens with `schema = 1`. `extends` names a preset, or a file relative to this one, from which
absent keys are taken; without it, and for what that leaves out, the defaults below hold. They are those of
[`neurram-core`](../../hw/config/presets/neurram-core.toml), where each number has its source. `--set SECTION.KEY=VALUE`
replaces a value wherever a command takes a chip.

Units stand at the end of a key. A key that is not in these tables is refused.
"""


def reference_page() -> str:
    """Markdown of ``docs/reference/chip.md``: presets, then a table for each section."""
    parts = [_HEAD, "## Presets\n", _presets(), "## Top level\n", _table(keys_of(Chip))]
    for name, section in SECTIONS.items():
        what = (section.__doc__ or "").splitlines()[0].partition(": ")[2]
        parts += [f"## `[{name}]`\n", f"{what[:1].upper()}{what[1:]}\n", _table(keys_of(section))]
    return "\n".join(parts)


def _presets() -> str:
    rows = ["| name | lines | clock | description |", "|---|---|---|---|"]
    for chip in map(load_chip, preset_names()):
        link = f"[`{chip.name}`](../../hw/config/presets/{chip.name}.toml)"
        rows.append(f"| {link} | {chip.lines} | {chip.clock.f_clk_MHz:g} MHz | {chip.description} |")
    return "\n".join(rows) + "\n"


def _table(specs: dict[str, KeySpec]) -> str:
    rows = ["| key | default | legal | meaning |", "|---|---|---|---|"]
    for name, spec in specs.items():
        default = "" if isinstance(spec.default, dict) else f"`{shown(spec.default)}`"
        rows.append(f"| `{name}` | {default} | {spec.legal()} | {spec.doc} |")
    return "\n".join(rows) + "\n"
