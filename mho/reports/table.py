"""Tables of a page: the layers of a run, and the digital part in a library of standard cells."""

import re
from collections.abc import Sequence
from html import escape

from mho.compiler.facts import TileCycles
from mho.reports.facts import Facts, MemoryArea, MemoryEnergy, Silicon, SiliconEnergy, TileEnergy
from mho.results.facts import LayerRow
from mho.units import format_energy


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], raw: Sequence[int] = ()) -> str:
    """A table; cells of the columns ``raw`` are HTML already."""
    head = "".join(f"<th>{escape(text)}</th>" for text in headers)
    body = "".join(
        "<tr>" + "".join(f"<td>{text if k in raw else escape(text)}</td>" for k, text in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


_COPY = re.compile(r"(.+) \d+/(\d+)")
"""Copies of a layer, of which each does a part of its positions."""


def name_of(layer: str) -> tuple[str, int]:
    """The layer that a copy is of, and how many there are; the layer itself, 1."""
    copy = _COPY.fullmatch(layer)
    return (layer, 1) if copy is None else (copy[1], int(copy[2]))


def layer_table(facts: Facts) -> str:
    """The table: copies of a layer together."""
    cost = facts.cost or {}
    energy, tiles = cost.get("energy"), cost.get("tiles")
    copies: dict[str, list[LayerRow]] = {}
    for layer in facts.layers:
        copies.setdefault(name_of(layer["layer"])[0], []).append(layer)
    headers = ["layer", "positions", "columns", "copies"]
    bits, cycles = cost.get("bits", {}), {} if tiles is None else _cycles(tiles["tiles"])
    headers += ["bits of its inputs", "bits of conversions"] * bool(bits)
    headers += ["cycles an input of its busiest array"] * bool(cycles)
    headers += ["energy of the macros an input"] * bool(energy)
    losses = {row["name"]: float(row["loss"]) for row in (facts.budget or {}).get("layers", ())}
    headers += ["points lost by it alone"] * bool(losses)
    rows = []
    for name, members in copies.items():
        first, names = members[0], [member["layer"] for member in members]
        row = [name, f"{sum(member['positions'] for member in members):,}", f"{first['columns']:,}", str(len(members))]
        if bits:
            row += [str(bits.get(names[0], {}).get(key, "")) for key in ("in", "out")]
        if cycles:
            row.append(f"{max(cycles.get(member, 0.0) for member in names):,.0f}")
        if energy:
            row.append(format_energy(sum(energy["by_layer_pJ"].get(member, 0.0) for member in names)))
        if losses:
            row.append(f"{100 * sum(losses.get(member, 0.0) for member in names):+.2f}")
        rows.append(row)
    return table(headers, rows)


def _cycles(tiles: Sequence[TileCycles]) -> dict[str, float]:
    """Cycles of the busiest array that has a part of each layer, whatever else it has."""
    cycles: dict[str, float] = {}
    for tile in tiles:
        for layer in tile.get("layers", ()):
            cycles[layer] = max(cycles.get(layer, 0.0), tile["analog_cycles"])
    return cycles


_MOST_NAMES = 6


def silicon_part(silicon: Silicon) -> str:
    """Paragraphs and, where memories are macros, the table of these."""
    bits = sum(silicon["memory_bits"].values())
    memory_mm2 = silicon.get("memory_mm2")
    memories = "without" if memory_mm2 is None else "with"
    area = f"{silicon['buffered_mm2']:.4f} mm² {memories} memories, in {silicon['library']} ({silicon['what']})"
    text = f"Memories have {bits:,} bits in {len(silicon['memory_bits'])} shapes"
    text += "; they are counted, and have no area here." if memory_mm2 is None else f", {memory_mm2:.4f} mm² of it."
    parts = [f"<p>{escape(area)}. {escape(text)}</p>"]
    energy = silicon.get("energy")
    if energy:
        parts.append(f"<p>{escape(_energy(energy))}</p>")
    if memory_mm2 is not None:
        parts += [f"<p>{escape(_ports(energy))}</p>", _memories(silicon.get("memories", ()), energy)]
    return "".join(parts)


def tiles_of(energy: SiliconEnergy) -> Sequence[TileEnergy]:
    """The tiles whose energy is known; of a core none."""
    return [tile for tile in energy.get("tiles", ()) if tile["tile"] is not None]


def some_tiles(energy: SiliconEnergy) -> str | None:
    """What the energy is of if the waves were of some tiles alone; None if it is of all."""
    unseen, names = energy.get("unseen_tiles"), [str(tile["tile"]) for tile in tiles_of(energy)]
    if not unseen:
        return None
    which = "" if len(names) > _MOST_NAMES else f" ({' and '.join(names)})"
    return f"{len(names)} of {len(names) + len(unseen)} tiles{which} and what is around the tiles"


def _energy(energy: SiliconEnergy) -> str:
    memories = ""
    if "memories" in energy:
        memories = f", {format_energy(energy.get('memory_pJ', 0.0), 4)} accesses to macros of memories"
    part = some_tiles(energy)
    subject = "One input takes" if part is None else f"Of one input {part} take"
    return (
        f"{subject} {format_energy(energy['image_pJ'], 4)} by its switching activity, "
        f"{format_energy(energy['average_pJ'], 4)} by an average activity of {energy['average_activity']:g} a cycle: "
        f"{energy['average_pJ'] / energy['image_pJ'] - 1:+.0%}. {format_energy(energy['still_pJ'], 4)} of it are "
        f"clock and leakage{memories}. {energy.get('clock_gates', 0):,} cells gate clocks. "
        f"The sum is of {energy['what']}; the waves have "
        f"{energy['named_flip_flops']:.1%} of the flip-flops. {energy['left_out']}"
    )


def _ports(energy: SiliconEnergy | None) -> str:
    """What it means that memories write and read, and macros have one port."""
    text = (
        "Memories are on the macros of least area, or flip-flops where these are smaller or the "
        "memory is read in the same cycle; several words in a row need a multiplexer, which is not counted."
    )
    if energy is None:
        return f"{text} Macros of one port cannot write and read in a cycle; --activity counts the cycles that need it."
    single = [memory for memory in energy.get("memories", ()) if not memory["two_ports"]]
    both = [memory for memory in single if memory["both"] > 0]
    if not single:
        return f"{text} The macros write and read in one cycle."
    if not both:
        return f"{text} The macros have one port; no cycle of this run needs two."
    cycles, used = (sum(count(memory) for memory in single) for count in (lambda memory: memory["both"], _used))
    worst = max(both, key=lambda memory: memory["both"])
    return (
        f"{text} Each memory writes and reads in the same cycle if it has to, which macros of one port cannot: it "
        f"happened {cycles:,.0f} times an input, in {cycles / used:.1%} of the cycles with an access, most in "
        f"{worst['memory']} ({worst['both'] / _used(worst):.0%} of its own). Energy counts both accesses; two banks "
        "or a macro at twice the clock, which this takes, are neither in area nor in energy."
    )


def _used(memory: MemoryEnergy) -> float:
    """Cycles with an access."""
    return memory["writes"] + memory["reads"] - memory["both"]


def _memories(memories: Sequence[MemoryArea], energy: SiliconEnergy | None) -> str:
    did = {} if energy is None else {memory["memory"]: memory for memory in energy.get("memories", ())}
    rows = []
    for memory in memories:
        accesses = did.get(memory["memory"])
        counts = [""] * 4 if accesses is None else [
            *(f"{accesses[key]:,.0f}" for key in ("writes", "reads", "both")), format_energy(accesses["image_pJ"], 4)
        ]
        area = f"{memory['area'] / 1e6:.4f}"
        rows.append((memory["memory"], f"{memory['instances']:,}", memory["made_of"], area, *counts))
    headers = ("memory", "instances", "made of", "mm²", "writes an input", "reads", "both at once", "energy an input")
    return table(headers, rows)
