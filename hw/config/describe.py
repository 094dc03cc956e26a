"""A chip in words: the rows and warnings that ``mho check`` and ``mho preset`` print."""

from dataclasses import dataclass

from mho.hw.config.chip import TILE_FLITS, Chip, sections_of
from mho.hw.config.keys import as_table, keys_of, shown


@dataclass(frozen=True, kw_only=True)
class Row:
    """One key of a resolved chip."""

    key: str
    """Dotted path, ``"adc.bits"``."""
    value: str
    """The value as TOML spells it."""
    default: bool
    """Whether it is the default (that of ``neurram-core``)."""
    doc: str
    """One line that says what the key is."""
    legal: str
    """The legal values in words."""


def describe(chip: Chip) -> list[Row]:
    """Every key of ``chip``, in the order of the description."""
    rows = _rows(chip, "")
    for name in sections_of(type(chip)):
        section = getattr(chip, name)
        if section is not None:
            rows += _rows(section, f"{name}.")
    return rows


def sizes(chip: Chip) -> list[tuple[str, str]]:
    """What follows from the description: pairs of a name and a value with its unit."""
    return [("cores", f"{chip.cores} ({chip.mesh.columns} x {chip.mesh.rows})"), *chip.sizes()]


def warnings(chip: Chip) -> list[str]:
    """Sentences about what is legal but probably not meant."""
    result = chip.warnings()
    if chip.core.g_bits > 1 and chip.cells.g_full_scale_uS < 1.1 * chip.cells.g_max_uS:
        result.append(
            f"cells.g_full_scale_uS = {chip.cells.g_full_scale_uS:g} leaves less than 10 % above cells.g_max_uS = "
            f"{chip.cells.g_max_uS:g}, so cells that relax upwards are clipped"
        )
    if chip.tiled and chip.mesh.payload_bits not in TILE_FLITS:
        result.append(
            f"mesh.payload_bits = {chip.mesh.payload_bits}: tiles take 32 or 64, so that of this chip only the network "
            "is generated (mho generate --part noc)"
        )
    return result


def _rows(section: object, prefix: str) -> list[Row]:
    rows = list[Row]()
    for name, spec in keys_of(section).items():
        value = getattr(section, name)
        # A table of the user's own, as the pins of a macro, is shown an entry a row.
        table = as_table(value)
        items = {name: value} if table is None else {f"{name}.{key}": item for key, item in table.items()}
        rows += [
            Row(key=prefix + key, value=_value(item), default=value == spec.default, doc=spec.doc, legal=spec.legal())
            for key, item in items.items()
        ]
    return rows


def _value(item: object) -> str:
    if (table := as_table(item)) is not None:
        return "{ " + ", ".join(f"{name} = {shown(value)}" for name, value in table.items()) + " }"
    return shown(item)
