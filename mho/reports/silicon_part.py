"""What a page says of the digital part in a library of standard cells: area, energy, memories."""

from collections.abc import Sequence
from html import escape

from mho.reports.silicon import MemoryArea, MemoryEnergy, Silicon, SiliconEnergy, TileEnergy
from mho.reports.table import table
from mho.units import format_energy

__all__ = ["silicon_part", "some_tiles", "tiles_of"]

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
