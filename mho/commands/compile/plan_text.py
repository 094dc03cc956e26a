"""The plan of a network as text of at most 80 columns: for ``mho compile``, with and without ``--dry-run``."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mho.terminal.console import Output

if TYPE_CHECKING:
    from mho.results.compiled import Fitting, NetworkPlan

__all__ = ["plan_lines", "print_fit", "print_plan", "wrapped"]

WIDTH, NAME, OPERATOR, NAMES = 80, 14, 12, 100
"""Characters of a line, of a name, of an operator, and of names in a row, at most."""

PRESETS = 3
"""Presets that are named at most."""


def print_plan(plan: "NetworkPlan", out: Output) -> None:
    """What runs where, and what it takes."""
    headers = ("step", "runs in", "weights", "at", "cores", "conv.", "cycles", "lanes")
    rows = []
    for step in plan["steps"]:
        if step["place"] == "array":
            what = (f"{step['inputs']} x {step['outputs']}", step["positions"], len(step["cores"]))
            rest = (_short(step["conversions"]), _short(step["cycles_worst"]))
        else:
            what, rest = (step["operator"][:OPERATOR], "-", "-"), ("-", "-")
        rows.append((_cut(step["name"], NAME), step["place"], *what, *rest, _short(step["lanes"])))
    out.table(headers, rows)
    for line in plan_lines(plan):
        out.text(line)


def plan_lines(plan: "NetworkPlan") -> list[str]:
    """Sums of an image, what runs together, and what the host does."""
    sentences = [
        f"{_count(plan['weights'], 'weight')} in {_count(plan['cells'], 'cell')}; an input takes "
        f"{_count(plan['conversions'], 'conversion')}",
        f"cycles at worst: {plan['cycles_serial']:,} one product after the other, {plan['cycles_parallel']:,} with "
        f"those of a level together if the chip has the cores; {plan['cycles_core']:,} on the busiest core",
        f"activations: {_count(plan['lanes'], 'lane')} alive at most, {plan['activation_bytes']:,} bytes",
    ]
    for level in plan["levels"]:
        if level["cycles_parallel"] < level["cycles_serial"]:
            sentences.append(
                f"together on {len(level['cores'])} cores in {level['cycles_parallel']:,} cycles, not "
                f"{level['cycles_serial']:,}: {_some(level['layers'])}"
            )
    for work in plan["host"]:
        crossing = []
        if work["from_chip"]:
            crossing.append(f"{work['from_chip']:,} values from the chip")
        if work["to_chip"]:
            crossing.append(f"{work['to_chip']:,} to the chip")
        sentences.append(f"at the host: {work['name']}, {', '.join(crossing)}: {_some(work['operators'].split(), ' ')}")
    return [line for sentence in sentences for line in wrapped(sentence)]


def print_fit(fit: "Fitting | None", out: Output) -> None:
    """Whether a network fits the chip, by how much it does not, and what would do; nothing if no number would."""
    if fit is None:
        return
    fewest, bound, cores = fit["least"], fit["bound"], fit["there"]
    proof = "by proof" if bound == fewest else f"by proof no fewer than {bound}"
    if not fit["missing"]:
        out.text(f"fits: {_count(fit['cores'], 'core')} of {cores}; the least is {fewest}, {proof}")
        return
    would = [f"{one['chip']} ({one['least']} of {_count(one['there'], 'core')})" for one in fit["would_fit"][:PRESETS]]
    if fit["mesh"] is not None:
        columns, rows = fit["mesh"]
        would.append(f"--set mesh.columns={columns} --set mesh.rows={rows}")
    for one in (
        f"does not fit: at least {_count(fewest, 'core')} needed, {proof}, and {cores} there: {fit['missing']} too few",
        f"would fit: {'; '.join(would)}" if would else "no mesh of such cores is large enough",
        fit["figures"],
    ):
        for line in wrapped(one) if one else ():
            out.text(line)


def wrapped(text: str) -> list[str]:
    """A sentence in lines of at most 80 characters."""
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _some(names: Sequence[str], between: str = " | ") -> str:
    """As many names as two lines hold, and how many more there are."""
    shown = 0
    while shown < len(names) and len(between.join(names[: shown + 1])) <= NAMES:
        shown += 1
    shown = max(shown, 1)
    rest = f" and {len(names) - shown} more" if shown < len(names) else ""
    return between.join(names[:shown]) + rest


def _cut(text: str, length: int) -> str:
    """At most so many characters, the end kept: names of nodes differ there."""
    return text if len(text) <= length else f"..{text[len(text) - length + 2 :]}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _short(number: int) -> str:
    """A number in at most 7 characters."""
    for power, unit in ((0, ""), (6, "M"), (9, "G"), (12, "T")):
        value = number / 10**power
        if value < (1e6 if not power else 1e4):
            return f"{number:,}" if not power else f"{value:,.1f}{unit}"
    return f"{number:.1e}"
