"""One self-contained HTML page of one run or several: words, figures and tables, nothing from a network."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from mho.comparisons.runs import MEASURES
from mho.figures.run import figure_bytes
from mho.macro_models.files import FileKind, read_toml, reading
from mho.reports.facts import RUN, Facts
from mho.reports.figures import figures_of
from mho.reports.table import layer_table, silicon_part, table
from mho.reports.words import accuracy_words, energy_words, layout_words, missing_words, score, time_words
from mho.results.facts import Cost, durations
from mho.units import format_energy

_FILE = Path(__file__).parent / "published.toml"
_KIND = FileKind("table of published figures", 1 << 20)


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """Figures at one precision; None is not published. ``fJ`` is the energy of an operation by what takes it."""

    inputs: int
    outputs: int
    tops: float
    tops_per_W: float
    tops_per_mm2: float | None = None
    fJ: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PublishedChip:
    """A chip that was measured."""

    name: str
    technology: str
    source: str
    rows: tuple[PublishedRow, ...]


def published_chips() -> tuple[PublishedChip, ...]:
    """The chips of the shipped table, in its order."""
    _, tree = read_toml(_FILE, _KIND)
    return tuple(
        PublishedChip(**{**chip, "rows": tuple(PublishedRow(**row) for row in chip["rows"])}) for chip in tree["chip"]
    )

_SMALL = 0.1
"""Throughputs below are in GOPS."""

_STYLE = Path(__file__).parent / "page.css.txt"


def report_page(runs: Sequence[Facts]) -> str:
    """The page of some runs, the first words of which say what limits each.

    Raises InputError if a run has other figures than ``mho run --json`` writes.
    """
    title = runs[0].title if len(runs) == 1 else f"{len(runs)} runs"
    parts = [
        "<!DOCTYPE html>", '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>", f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
    ]
    if len(runs) > 1:
        parts += [_overview(runs)]
    ends: list[str] = []
    for number, facts in enumerate(runs):
        if len(runs) > 1:
            parts.append(f"<h2>{escape(facts.name)}: {escape(facts.title)}</h2>")
        with reading(facts.run.path, RUN):
            parts += _run(facts, f"r{number}")
            ends = [_published(runs[: number + 1]), _sources(runs[: number + 1])]
    parts += [*ends, "</body></html>", ""]
    return "\n".join(parts)


def _run(facts: Facts, prefix: str) -> Iterator[str]:
    yield '<div class="lead">'
    if note := facts.fit["note"]:
        yield f"<p><b>Does not fit.</b> {escape(note.removeprefix('does not fit: '))}</p>"
    for what, words in (("Accuracy", accuracy_words), ("Time", time_words), ("Energy", energy_words)):
        yield f"<p><b>{what}.</b> {escape(words(facts))}</p>"
    yield "</div>"
    yield table(("figure", "value"), figures(facts))
    yield "<h3>Layers</h3>"
    yield layer_table(facts)
    for name, title, how, figure in figures_of(facts):
        yield f"<h3>{escape(title)}</h3><figure>{figure_svg(figure, prefix + name, inline=True)}"
        yield f"<figcaption>{escape(how)}</figcaption></figure>"
    if facts.silicon is not None:
        yield silicon_part(facts.silicon)
    if facts.routed is not None:
        yield f"<h3>Layout</h3><p>{escape(layout_words(facts))}</p>"
    missing = missing_words(facts)
    if missing:
        yield "<h3>Not on this page</h3>"
        rows = [(what, f"<code>{escape(how)}</code>") for what, how in missing]
        yield table(("what", "how to get it"), rows, raw=(1,))


def figures(facts: Facts) -> list[tuple[str, str]]:
    """What the run says in numbers, each with its name."""
    rows: list[tuple[str, str]] = [(MEASURES[facts.run.measure], score(facts))]
    if note := facts.fit["note"]:
        rows.append(("fit", note))
    rows.append(("inputs, chips", f"{facts.run.images:,}, {len(facts.run.scores)}"))
    cost = facts.cost
    if cost is not None:
        latency, interval = durations(cost)
        rows += [
            ("work of an input", f"{cost['macs']:,} MACs = {cost['operations']:,} operations, "
             f"{cost['conversions']:,} conversions"),
            (f"latency: an input from its begin to its result{_how(cost)}", latency),
            (f"interval: from input to input{_how(cost)}",
             f"{interval}: {1e6 / cost['interval_us']:,.0f} inputs a second"),
            ("throughput, so run", _value(cost["tops"], "TOPS")),
        ]
        if cost["energy"] is not None:
            rows += [("energy of the macros", f"{format_energy(cost['energy']['total_pJ'], 4)} an input"),
                     ("efficiency of the macros, so run", _value(cost["tops_per_W"], "TOPS/W"))]
        if cost["macros_mm2"] is not None:
            parts = cost.get("macro_by_part_mm2") or {}
            of_one = ", ".join(f"{part} {area:.3g}" for part, area in parts.items())
            rows += [("area of the macros", f"{cost['macros_mm2']:.4g} mm²"
                      + (f"; of one: {of_one}" if len(parts) > 1 else "")),
                     ("throughput by area of the macros, so run", _value(cost["tops_per_mm2"], "TOPS/mm²"))]
        used_cores = [core for core in cost["cores"] if core["cells_used"]]
        used, cells = (sum(core[key] for core in used_cores) for key in ("cells_used", "cells"))
        where = f"in {len(used_cores)} cores"
        rows.append(("cells that hold weights", f"{used:,} of {cells:,} ({used / cells:.1%}) {where}"))
    return rows


def _how(cost: Cost) -> str:
    if cost["tiles"] is None:
        return ", products one after the other"
    return ", tiles at work on several" + ", predicted" * cost["time_predicted"]


def _overview(runs: Sequence[Facts]) -> str:
    rows = []
    for facts in runs:
        cost, figures_of_cost = facts.cost, ("", "", "", "")
        if cost is not None:
            energy = cost["energy"]
            figures_of_cost = (
                f"{cost['latency_us']:,.2f} µs", f"{cost['interval_us']:,.2f} µs",
                format_energy(energy["total_pJ"]) if energy else "", _value(cost["tops_per_W"], ""),
            )
        rows.append((facts.name, facts.chip, MEASURES[facts.run.measure], score(facts), *figures_of_cost))
    headers = ("run", "chip", "measure", "score", "latency", "interval", "energy of the macros", "TOPS/W")
    return table(headers, rows)


def _published(runs: Sequence[Facts]) -> str:
    rows = []
    for facts in {row.chip: row for row in runs}.values():
        cost = facts.cost or {}
        changed = cost.get("area_extrapolated") or (cost.get("energy") or {}).get("extrapolated")
        conditions = f"macros alone, all busy{'; extrapolated' if changed else ''}"
        for row in cost.get("rated", ()):
            values = [_value(row.get(key)) for key in ("tops", "tops_per_W", "tops_per_mm2", "snr_dB")]
            rows.append((f"{facts.chip} (this description)", row["precision"], *values, conditions))
    for chip in published_chips():
        for row in chip.rows:
            rows.append((chip.name, f"{row.inputs}-bit inputs, {row.outputs}-bit outputs", _value(row.tops),
                         _value(row.tops_per_W), _value(row.tops_per_mm2), "", chip.technology))
    headers = ("chip", "precision", "TOPS", "TOPS/W", "TOPS/mm²", "SNR (dB)", "technology")
    return (
        '<h2>Beside chips that were made</h2><p class="soft">1 MAC is 2 operations. Published figures are measured; '
        "those of a description follow from its durations and energies, with all lines of all cores busy. SNR: what "
        "the codes of a precision are worth without any error of cells and converters.</p>"
        + table(headers, rows)
    )


def _sources(runs: Sequence[Facts]) -> str:
    lines: dict[str, None] = {}
    for facts in runs:
        cost, device = facts.cost or {}, facts.content.get("device", {})
        energy = (cost.get("energy") or {}).get("source")
        sources = {
            f"Energies of the macros of {facts.chip}": energy,
            f"These are extrapolated, for {facts.chip}": (cost.get("energy") or {}).get("extrapolated"),
            f"Area of a macro of {facts.chip}": cost.get("area_source"),
            f"It is extrapolated, for {facts.chip}": cost.get("area_extrapolated"),
            f"Device {device.get('name')}": device.get("source"),
        }
        lines |= {f"{what}: {source}": None for what, source in sources.items() if source}
        if facts.silicon is not None:
            lines[f"Standard cells: {facts.silicon['library']}, by {facts.silicon['what']}"] = None
            lines |= {f"Macro of memories: {name}": None for name in facts.silicon.get("macros", ())}
        versions = ", ".join(f"{name} {version}" for name, version in facts.content["versions"].items())
        hashes = facts.content["hashes"]
        lines[f"{facts.name}: network {hashes['network'][:12]}, chip {hashes['chip'][:12]}, {versions}"] = None
    lines |= {f"{chip.name}: {chip.source}": None for chip in published_chips()}
    return "<h2>Sources</h2><ul class='soft'>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _value(value: float | None, unit: str = "") -> str:
    if value is None:
        return "not known" if unit else ""
    if unit.startswith("TOPS") and 0 < value < _SMALL and unit != "TOPS/W":
        value, unit = 1000 * value, f"G{unit[1:]}"
    return f"{value:.3g} {unit}".rstrip()


def figure_svg(figure: Figure, name: str, *, inline: bool) -> str:
    """A figure as SVG; ``inline``: without a background, and what is black takes the colour of the page's text."""
    with rc_context({"svg.fonttype": "none"}):
        text = figure_bytes(figure, "svg", name=name, transparent=inline).decode()
    if not inline:
        return text
    text = text[text.index("<svg"):]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    # Names are the figure's own, since a page has several.
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"<text(?=[ >])", '<text fill="currentColor"', text)
    text = re.sub(r"(stroke|fill): #000000", r"\1: currentColor", text)
    return text.strip()
