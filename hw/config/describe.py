"""A chip in words: the rows and warnings that ``mho check`` and ``mho preset`` print."""

from dataclasses import dataclass
from typing import Any

from hw.config.chip import Chip
from hw.config.keys import keys_of, shown
from hw.config.tree import SECTIONS

__all__ = ["Row", "describe", "sizes", "warnings"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One key of a resolved chip.

    Attributes
    ----------
    key
        Dotted path, ``"adc.bits"``.
    value
        The value as TOML spells it.
    default
        Whether it is the default (that of ``neurram-core``).
    doc
        One line that says what the key is.
    legal
        The legal values in words.
    """

    key: str
    value: str
    default: bool
    doc: str
    legal: str


def describe(chip: Chip) -> list[Row]:
    """Every key of ``chip``, in the order of the description."""
    rows = _rows(chip, "")
    for name in SECTIONS:
        section = getattr(chip, name)
        if section is not None:
            rows += _rows(section, f"{name}.")
    return rows


def sizes(chip: Chip) -> list[tuple[str, str]]:
    """What follows from the description: pairs of a name and a value with its unit."""
    n = chip.lines
    result = [
        ("cores", f"{chip.cores} ({chip.mesh.columns} x {chip.mesh.rows})"),
        ("lines of a core", f"{n} bit lines, {n} source lines, {n} word lines, {n} converters"),
        ("cells", f"{n * n * chip.cores:,} ({n * n:,} a core)"),
        ("signed weights, forward", f"{n // 2} x {n} a core"),
        ("conductance grid", f"{chip.cells.g_full_scale_uS / (2**chip.core.g_bits - 1):.4g} uS a code"),
    ]
    for operation, cycles in chip.operation_cycles.items():
        took = cycles * 1000 / chip.clock.f_clk_MHz
        result.append((operation, f"{cycles} {'cycle' if cycles == 1 else 'cycles'} = {took:g} ns"))
    return result


def warnings(chip: Chip) -> list[str]:
    """Sentences about what is legal but probably not meant."""
    result = []
    for operation, cycles in chip.operation_cycles.items():
        t_ns = getattr(chip.timing, f"t_{operation}_ns")
        took = cycles * 1000 / chip.clock.f_clk_MHz
        if took > 1.5 * t_ns:
            result.append(
                f"timing.t_{operation}_ns = {t_ns:g} takes {took:g} ns, because an operation lasts whole cycles at "
                f"clock.f_clk_MHz = {chip.clock.f_clk_MHz:g}"
            )
    if chip.cells.g_full_scale_uS < 1.1 * chip.cells.g_max_uS:
        result.append(
            f"cells.g_full_scale_uS = {chip.cells.g_full_scale_uS:g} leaves less than 10 % above cells.g_max_uS = "
            f"{chip.cells.g_max_uS:g}, so cells that relax upwards are clipped"
        )
    if chip.cores > 1:
        result.append(
            f"mesh.columns x mesh.rows = {chip.mesh.columns} x {chip.mesh.rows}: networks can run on these cores, but "
            "Verilog is generated for one core or for the network on chip alone (mho generate --part noc)"
        )
    return result


def _rows(section: Any, prefix: str) -> list[Row]:
    rows = []
    for name, spec in keys_of(section).items():
        value = getattr(section, name)
        # A table of the user's own, as the pins of a macro, is shown an entry a row.
        items = {f"{name}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {name: value}
        rows += [
            Row(key=prefix + key, value=shown(item), default=value == spec.default, doc=spec.doc, legal=spec.legal())
            for key, item in items.items()
        ]
    return rows
